-- Buckets whose objects are in a service that speaks S3.

alter table functions_private.buckets
    add column s3        jsonb,                           -- endpoint, region, bucket, prefix, path_style, access_key_id
    add column s3_secret bytea,                           -- the secret access key, sealed
    add column held      boolean not null default false,  -- a copy must not write to the original's bucket: see functions.adopt
    add constraint buckets_s3_with_secret check ((s3 is null) = (s3_secret is null));
