-- functions.signed_url(bucket, key, options) -> the path of an object with a token, by which whoever has it may download or upload it
--   method        GET (default), PUT
--   expires_in    1-604800 (3600): seconds
--   max_bytes     0-5497558138880: the largest upload (default: what the bucket allows)
--   content_type  the only content type of an upload (default: any)
--   download      the name of the file that browsers store (default: they show it, if that is safe)
--   owner         to whom an upload belongs (default: nobody)
-- The caller is the owner of this function, who sees the objects of all users. The class SignedUrls is the counterpart.
create or replace function functions.signed_url(bucket text, key text, options jsonb default '{}') returns text
language plpgsql volatile set search_path = pg_catalog, functions, pg_temp as $$
declare
    signing_key bytea := (select b.signing_key from functions_private.buckets b where b.name = signed_url.bucket);
    one text;
    payload text;
begin
    if signing_key is null then
        perform functions_private.require_bucket(signed_url.bucket);
    elsif (select b.code from functions_private.buckets b where b.name = signed_url.bucket) then
        raise exception 'the bucket % has the code of functions: no URL reaches it', bucket using errcode = 'insufficient_privilege';
    end if;
    if key is null or key = '' or octet_length(key) > 1024 or key ~ '(^|/)\.\.?(/|$)' then
        raise exception '% can''t be the key of an object in a URL', coalesce(to_json(left(key, 80))::text, 'null')
            using errcode = 'invalid_parameter_value', hint = 'A key has 1 to 1,024 bytes, and no segment is "." or "..".';
    end if;
    perform functions_private.check_options(options, '{"method": ["GET", "PUT"], "expires_in": [1, 604800], "max_bytes": [0, 5497558138880],
        "content_type": "text", "download": "text", "owner": "text"}', '{"expires_in": 600}');
    foreach one in array array['content_type', 'download', 'owner'] loop
        if octet_length(options ->> one) not between 1 and 1024 then
            raise exception 'option % must be a text of 1 to 1,024 bytes', one using errcode = 'invalid_parameter_value';
        end if;
    end loop;
    payload := functions_private.base64url(convert_to(jsonb_strip_nulls(jsonb_build_object(
        'm', coalesce(options ->> 'method', 'GET'),
        'e', floor(extract(epoch from clock_timestamp()))::bigint + coalesce((options ->> 'expires_in')::bigint, 3600),
        's', options -> 'max_bytes', 't', options -> 'content_type', 'd', options -> 'download', 'u', options -> 'owner'))::text, 'UTF8'));
    return format('/functions/v1/storage/%s/%s?token=%s.%s', bucket, functions_private.escape_path(key), payload,
        functions_private.base64url(functions_private.hmac_sha256(signing_key,
            convert_to(concat('v1', chr(10), bucket, chr(10), key, chr(10), payload), 'UTF8'))));
end
$$;
comment on function functions.signed_url(text, text, jsonb) is
    'The path of an object with a token, by which whoever has it may download or upload it. Options: method, expires_in, max_bytes, '
    'content_type, download, owner.';
revoke all on function functions.signed_url(text, text, jsonb) from public;
