-- functions_private.s3_location(given, is_known) -> the option s3 of a bucket, checked, with its defaults and without the secret
-- is_known: the bucket is one of S3 already, and its secret stays if none is given.
create or replace function functions_private.s3_location(given jsonb, is_known boolean) returns jsonb
language plpgsql stable set search_path = pg_catalog, pg_temp as $$
declare
    missing text;
begin
    if jsonb_typeof(given) is distinct from 'object' then
        raise exception 'option s3 must be an object, not %', left(given::text, 60) using errcode = 'invalid_parameter_value',
            hint = 'For example: {"endpoint": "https://s3.eu-central-1.amazonaws.com", "region": "eu-central-1", "bucket": "mine", '
                   '"access_key_id": "...", "secret_access_key": "..."}';
    end if;
    perform functions_private.check_options(given, '{"endpoint": "text", "region": "text", "bucket": "text", "prefix": "text",
        "path_style": "boolean", "access_key_id": "text", "secret_access_key": "text"}');
    select m into missing from unnest(array['endpoint', 'bucket', 'access_key_id', 'secret_access_key']) m
    where coalesce(given ->> m, '') = '' and not (is_known and m = 'secret_access_key') limit 1;
    if missing is not null then
        raise exception 'option s3 needs %', missing using errcode = 'invalid_parameter_value';
    elsif given ->> 'endpoint' !~ '^https?://[^/?#@\s]+(/[^?#\s]*)?$' then
        raise exception 'the endpoint of option s3 must be a URL with http or https, without user and query, not %',
            to_json(left(given ->> 'endpoint', 80)) using errcode = 'invalid_parameter_value';
    end if;
    return jsonb_build_object('endpoint', rtrim(given ->> 'endpoint', '/'), 'region', coalesce(given ->> 'region', 'us-east-1'),
        'bucket', given ->> 'bucket', 'prefix', coalesce(given ->> 'prefix', ''),
        'path_style', coalesce((given ->> 'path_style')::boolean, true), 'access_key_id', given ->> 'access_key_id');
end
$$;
comment on function functions_private.s3_location(jsonb, boolean) is 'The option s3 of a bucket, checked, without the secret.';
revoke all on function functions_private.s3_location(jsonb, boolean) from public;
