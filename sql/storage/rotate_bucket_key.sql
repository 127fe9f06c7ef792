-- functions.rotate_bucket_key(bucket): ends all signed URLs of a bucket at once.
create or replace function functions.rotate_bucket_key(bucket text) returns void
language plpgsql set search_path = pg_catalog, functions, pg_temp as $$
begin
    perform functions_private.require_bucket(rotate_bucket_key.bucket);
    update functions_private.buckets b set signing_key = functions_private.random_key(), updated_at = now()
    where b.name = rotate_bucket_key.bucket;
    perform pg_notify('functions_buckets', rotate_bucket_key.bucket);
end
$$;
comment on function functions.rotate_bucket_key(text) is 'Ends all signed URLs of a bucket.';
revoke all on function functions.rotate_bucket_key(text) from public;
