-- functions.create_bucket(bucket, options): objects for functions: env.STORAGE.bucket(bucket). Called again for an existing bucket, it
-- changes it: options that are not given return to their defaults, the objects stay. The bucket "default" is env.STORAGE itself and exists
-- from the start.
--   public            true: whoever knows a key may read it over HTTP (false)
--   owner             true: an object is seen and changed only by the user who put it, and by service_role (false)
--   max_bytes         65536-1125899906842624 (10737418240): of all its objects, with what waits to be removed
--   max_object_bytes  1-5497558138880 (5368709120): of one object
--   policies          an array of {"role", "prefix", "rights"}: what the roles of functions may do (default: everything). A prefix may have
--                     {sub}, which stands for the user; rights are read, write, list and delete. service_role always may.
--   code              true: for the code of functions (functions.set_code_storage): no function, signed URL or client reaches it (false). A
--                     bucket is made as one of code or not; that does not change
--   s3                {"endpoint", "region", "bucket", "prefix", "path_style", "access_key_id", "secret_access_key"}: the objects are there
--                     and not in the database. The secret is sealed; a call without it keeps it. max_bytes and owner are refused.
create or replace function functions.create_bucket(bucket text, options jsonb default '{}') returns void
language plpgsql set search_path = pg_catalog, functions, pg_temp as $$
declare
    policies jsonb := coalesce(nullif(options -> 'policies', 'null'), '[]');
    former functions_private.buckets;
    location jsonb;
begin
    if bucket is null or bucket !~ '^[a-z][a-z0-9_-]{0,63}$' then
        raise exception '% is not a bucket name', coalesce(to_json(left(bucket, 80))::text, 'null') using errcode = 'invalid_name',
            hint = 'A name starts with a letter, has lower-case letters, digits, _ and -, and at most 64 of them.';
    end if;
    perform functions_private.check_options(options, '{"public": "boolean", "owner": "boolean", "max_bytes": [65536, 1125899906842624],
        "max_object_bytes": [1, 5497558138880], "policies": "other", "s3": "other", "code": "boolean"}', '{"public": true}');
    if jsonb_typeof(policies) <> 'array' then
        raise exception 'option policies must be an array, not %', left(policies::text, 60) using errcode = 'invalid_parameter_value',
            hint = 'For example: [{"role": "authenticated", "prefix": "users/{sub}/", "rights": ["read", "write"]}]';
    end if;
    perform functions_private.validate_policy(p) from jsonb_array_elements(policies) p;
    select b.* into former from functions_private.buckets b where b.name = create_bucket.bucket for update;
    if former.code <> coalesce((options ->> 'code')::boolean, false) then
        raise exception 'the bucket % is % of code, which does not change', bucket, case when former.code then 'one' else 'none' end
            using errcode = 'invalid_parameter_value',
            hint = case when former.code then 'Give the option code again.' else 'Make another bucket.' end;
    elsif (options ->> 'code')::boolean
        and ((options ->> 'public')::boolean or (options ->> 'owner')::boolean or jsonb_array_length(policies) > 0)
    then
        raise exception 'a bucket of code can''t have the options public, owner and policies: nobody but the sidecar reaches it'
            using errcode = 'invalid_parameter_value';
    end if;
    if options ->> 's3' is not null then
        if (options ->> 'owner')::boolean then
            raise exception 'option owner can''t be used with s3: a service does not know the users'
                using errcode = 'invalid_parameter_value', hint = 'Use policies with {sub} in their prefix.';
        end if;
        if options ->> 'max_bytes' is not null then
            raise exception 'option max_bytes can''t be used with s3: the sidecar does not count what is in a service'
                using errcode = 'invalid_parameter_value',
                hint = 'Limit the bucket at the service. The option max_object_bytes limits each object.';
        end if;
        location := functions_private.s3_location(options -> 's3', former.s3 is not null);
    end if;
    if (former.s3 is null) <> (location is null)
        and exists (select from functions_private.objects o where o.bucket = create_bucket.bucket)
    then
        raise exception 'the bucket % has objects in the database', bucket using errcode = 'object_in_use',
            hint = 'Make another bucket, or select functions.clear_bucket(...).';
    end if;
    insert into functions_private.buckets as b (name, public, owned, max_bytes, max_object_bytes, signing_key, s3, s3_secret, code)
    values (create_bucket.bucket, coalesce((options ->> 'public')::boolean, false), coalesce((options ->> 'owner')::boolean, false),
        coalesce((options ->> 'max_bytes')::bigint, 10737418240), coalesce((options ->> 'max_object_bytes')::bigint, 5368709120),
        functions_private.random_key(), location,
        case when location is null then null
             when options -> 's3' ->> 'secret_access_key' is null then former.s3_secret
             else functions_private.seal_secret('bucket/' || create_bucket.bucket, 's3', options -> 's3' ->> 'secret_access_key') end,
        coalesce((options ->> 'code')::boolean, false))
    on conflict (name) do update set s3 = excluded.s3, s3_secret = excluded.s3_secret, held = false, public = excluded.public,
        owned = excluded.owned, max_bytes = excluded.max_bytes, max_object_bytes = excluded.max_object_bytes, updated_at = now();
    delete from functions_private.bucket_policies p where p.bucket = create_bucket.bucket;
    insert into functions_private.bucket_policies (bucket, role, prefix, rights)
    select create_bucket.bucket, p.value ->> 'role', coalesce(p.value ->> 'prefix', ''), array_agg(distinct r order by r)
    from jsonb_array_elements(policies) p (value), functions_private.text_list(p.value -> 'rights') r
    group by p.value ->> 'role', coalesce(p.value ->> 'prefix', '');
    perform pg_notify('functions_buckets', create_bucket.bucket);
end
$$;
comment on function functions.create_bucket(text, jsonb) is
    'Creates a bucket for functions (env.STORAGE.bucket), or changes it. Options: public, owner, max_bytes, max_object_bytes, '
    'policies, code, s3.';
revoke all on function functions.create_bucket(text, jsonb) from public;
