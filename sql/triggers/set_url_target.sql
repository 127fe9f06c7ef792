-- functions_private.set_url_target(trigger, options) -> the name of the function that posts the trigger's events to a URL
-- Implements create_trigger's option url: a function with the trigger's name, whose source is the same for all such triggers. URL, headers
-- and secret are its secrets, because any of them may hold a credential; the URL's host is the only one that it may reach. The function is
-- removed with the trigger.
--   url      http(s)://host[:port]/..., without user and password
--   headers  {"Name": "value"}: sent with every request; webhook-* and what frames a message are ours
--   secret   whsec_<base64 of 24 to 64 bytes>: requests are signed as Standard Webhooks 1.0 says (webhook-id, webhook-timestamp,
-- webhook-signature)
create or replace function functions_private.set_url_target(trigger text, options jsonb) returns text
language plpgsql set search_path = pg_catalog, functions, pg_temp as $$
declare
    origin constant text := '^(https?://(?:[a-z0-9._-]+|\[[0-9a-f:.]+\])(?::[0-9]{1,5})?)(?:[/?#]|$)';
    reserved constant text := '^(webhook-.*|host|content-length|content-type|connection|keep-alive|transfer-encoding|te|trailer|upgrade|proxy-.*)$';
    url text := options ->> 'url';
    header record;
begin
    if jsonb_typeof(options -> 'url') is distinct from 'string' or length(url) > 2048 or lower(url) !~ origin then
        raise exception 'option url must be an http or https URL without user and password, not %',
            left(regexp_replace((options -> 'url')::text, '//[^/@]*@', '//...@'), 80)
            using errcode = 'invalid_parameter_value', hint = 'For example: https://api.example.com/hooks/orders';
    end if;
    if (regexp_match(lower(url), '^https?://(?:\[[^]]*\]|[^/:?#]*):([0-9]+)'))[1]::integer not between 1 and 65535 then
        raise exception 'option url: a port is a number from 1 to 65535'
            using errcode = 'invalid_parameter_value', hint = 'For example: https://api.example.com:8443/hooks/orders';
    end if;
    if jsonb_typeof(coalesce(options -> 'headers', '{}')) <> 'object' then
        raise exception 'option headers must be an object of strings, not %', left((options -> 'headers')::text, 60)
            using errcode = 'invalid_parameter_value';
    end if;
    for header in select h.key, h.value #>> '{}' as value, jsonb_typeof(h.value) as type
        from jsonb_each(coalesce(options -> 'headers', '{}')) h loop
        if header.type <> 'string' or header.key !~ '^[A-Za-z0-9!#$%&''*+.^_`|~-]{1,128}$' or header.value ~ '[\r\n]'
            or length(header.value) > 8192 then
            raise exception 'option headers: % must be a header''s name with a string of at most 8192 characters in one line',
                to_json(header.key)
                using errcode = 'invalid_parameter_value';
        elsif lower(header.key) ~ reserved then
            raise exception 'option headers: % is set by the sidecar', to_json(header.key) using errcode = 'invalid_parameter_value',
                hint = 'Leave it out.';
        end if;
    end loop;
    if options ->> 'secret' is not null
        and (options ->> 'secret' !~ '^whsec_(?:[A-Za-z0-9+/]{4})+(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?$'
            or octet_length(decode(substr(options ->> 'secret', 7), 'base64')) not between 24 and 64) then
        raise exception 'option secret must be whsec_ and the base64 of 24 to 64 bytes' using errcode = 'invalid_parameter_value',
            hint = 'A new one: select ''whsec_'' || encode(uuid_send(gen_random_uuid()) || uuid_send(gen_random_uuid()), ''base64'');';
    end if;
    if exists (select from functions_private.functions f where f.name = set_url_target.trigger and not f.url_target) then
        raise exception 'There is a function named % already.', to_json(set_url_target.trigger) using errcode = 'duplicate_object',
            hint = 'A trigger with the option url makes a function of its own name: choose another name for the trigger.';
    end if;

    perform functions_private.deploy_made(set_url_target.trigger, functions_private.url_target_source(), '{}');
    update functions_private.functions f set url_target = true, updated_at = now() where f.name = set_url_target.trigger;
    perform functions.set_secret(set_url_target.trigger, 'URL', url);
    perform functions.set_secret(set_url_target.trigger, 'HEADERS', coalesce(options -> 'headers', '{}')::text);
    if options ->> 'secret' is not null then
        perform functions.set_secret(set_url_target.trigger, 'SECRET', options ->> 'secret');
    else
        delete from functions_private.secrets s where s.function = set_url_target.trigger and s.key = 'SECRET';
    end if;
    delete from functions_private.hosts h where h.function = set_url_target.trigger;
    perform functions.allow_host(set_url_target.trigger, (regexp_match(lower(url), origin))[1]);
    return set_url_target.trigger;
end
$$;
comment on function functions_private.set_url_target(text, jsonb) is
    'Creates or changes the function that posts a trigger''s events to a URL; returns its name.';
revoke all on function functions_private.set_url_target(text, jsonb) from public;
