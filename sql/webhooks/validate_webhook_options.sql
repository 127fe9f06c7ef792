-- functions_private.validate_webhook_options(options) raises an error that names the first invalid option and its valid values.
create or replace function functions_private.validate_webhook_options(options jsonb) returns void
language plpgsql set search_path = pg_catalog, pg_temp as $$
declare
    schemes constant text[] := array['standard', 'svix', 'github', 'stripe', 'slack', 'shopify', 'twilio', 'hmac'];
    scheme text := options ->> 'scheme';
    owner name := (select pg_get_userbyid(n.nspowner) from pg_namespace n where n.nspname = 'functions');
    actual name := coalesce(nullif(current_setting('role', true), 'none'), session_user);
begin
    perform functions_private.check_options(options,
        '{
            "scheme": "other", "secret": "text", "role": "role", "respond": "boolean", "tolerance_seconds": [1, 3600],
            "dedupe_seconds": [0, 2592000], "max_body_bytes": [1, 10485760], "public_url": "text"
        }',
        '{"scheme": "github"}');
    if jsonb_typeof(options -> 'scheme') <> 'null' and (jsonb_typeof(options -> 'scheme') <> 'string' or scheme <> all (schemes)) then
        raise exception 'there is no scheme %', left((options -> 'scheme')::text, 60) using errcode = 'invalid_parameter_value',
            hint = coalesce('Did you mean '
                || (select s from unnest(schemes) s where functions_private.is_similar_name(scheme, s) limit 1) || '? ', '')
                || 'The schemes are ' || array_to_string(schemes, ', ') || '.';
    end if;
    -- A login that serves asks for the managers of HTTP.
    if options ->> 'role' is not null and not pg_has_role(actual, owner, 'usage') and not pg_has_role(actual, options ->> 'role', 'member')
        and not exists (select from functions_private.servers s where s.login = actual)
    then
        raise exception 'option role: % is not a member of %', to_json(actual), options -> 'role' using errcode = 'insufficient_privilege';
    end if;
    if options ->> 'tolerance_seconds' is not null and scheme in ('github', 'shopify', 'twilio', 'hmac') then
        raise exception 'option tolerance_seconds: the scheme % signs no time', scheme using errcode = 'invalid_parameter_value';
    end if;
    if options ->> 'dedupe_seconds' <> '0' then
        perform functions_private.validate_number_option('dedupe_seconds', options -> 'dedupe_seconds', 600, 2592000);
    end if;
    if options ->> 'public_url' !~ '^https?://[^/?#@\s]+(/[^?#\s]*)?$' or length(options ->> 'public_url') > 2000 then
        raise exception 'option public_url must be the URL to which the sender posts, without a query, not %',
            left((options -> 'public_url')::text, 80) using errcode = 'invalid_parameter_value',
            hint = 'For example: "https://hooks.example.com/functions/v1/webhook/sms".';
    end if;
    if (options ->> 'dedupe_seconds')::integer between 1 and 2 * coalesce((options ->> 'tolerance_seconds')::integer, 300) - 1 then
        raise exception 'option dedupe_seconds must be at least twice tolerance_seconds, or 0'
            using errcode = 'invalid_parameter_value', hint = 'Otherwise a recorded request could be sent again after it is forgotten.';
    end if;
end
$$;
comment on function functions_private.validate_webhook_options(jsonb) is
    'Raises an error that names the first unknown or invalid option of a webhook.';
revoke all on function functions_private.validate_webhook_options(jsonb) from public;
