-- functions.create_api_key(name, scopes, options) -> the key, pgfn_<16 hexadecimal digits>_<64 hexadecimal digits>, shown this once
-- Scopes: deploy (new functions, and new versions of functions without secrets and without private hosts), secrets (with deploy: also of
-- functions that have them), read and manage (for the management endpoints), * (all of them).
-- Options: functions ["name", ...] limits the key to these functions; expires_at (a time) or expires_in (an interval, "90 days") ends it.
create or replace function functions.create_api_key(name text, scopes text[], options jsonb default '{}') returns text
language plpgsql set search_path = pg_catalog, functions, pg_temp as $$
declare
    known constant text[] := array['deploy', 'secrets', 'read', 'manage', '*'];
    id constant text := substr(encode(functions_private.random_key(), 'hex'), 1, 16);
    key constant text := 'pgfn_' || id || '_' || encode(functions_private.random_key(), 'hex');
    wrong text;
    only_functions text[];
    expires_at timestamptz;
begin
    if create_api_key.name is null or create_api_key.name !~ '\S' or length(create_api_key.name) > 120
        or create_api_key.name ~ '[[:cntrl:]]' then
        raise exception '% is not an API key''s name', coalesce(to_json(left(create_api_key.name, 140))::text, 'null')
            using errcode = 'invalid_name',
            hint = 'Any text of 1 to 120 characters without control characters, for example: ci of the shop.';
    end if;
    select coalesce(to_json(left(s, 60))::text, 'null') into wrong from unnest(scopes) s where s is null or s <> all (known) limit 1;
    if wrong is not null or coalesce(cardinality(scopes), 0) = 0 then
        raise exception '%', coalesce(format('there is no scope %s', wrong), 'an API key without scopes may do nothing')
            using errcode = 'invalid_parameter_value',
            hint = 'The scopes are deploy, secrets, read, manage, and * for all of them.';
    end if;
    perform functions_private.check_options(options, '{"functions": "other", "expires_at": "text", "expires_in": "text"}',
        '{"expires_in": "90 days"}');
    if jsonb_typeof(options -> 'functions') <> 'null' then
        only_functions := array(select functions_private.text_list(options -> 'functions'));
        perform functions_private.validate_function_name(f) from unnest(only_functions) f;
    end if;
    if jsonb_typeof(options -> 'expires_at') <> 'null' and jsonb_typeof(options -> 'expires_in') <> 'null' then
        raise exception 'expires_at and expires_in are two ways to say one thing; give one' using errcode = 'invalid_parameter_value';
    end if;
    expires_at := coalesce((options ->> 'expires_at')::timestamptz, now() + (options ->> 'expires_in')::interval);
    if expires_at <= now() then
        raise exception 'the key would have expired already, at %', expires_at using errcode = 'invalid_parameter_value';
    end if;
    expires_at := nullif(expires_at, 'infinity');

    insert into functions_private.api_keys as k (id, name, hash, scopes, functions, expires_at)
    values (id, create_api_key.name, sha256(convert_to(key, 'UTF8')), create_api_key.scopes, only_functions, expires_at)
    on conflict on constraint api_keys_name_key do nothing;
    if not found then
        raise exception 'There is an API key named % already.', to_json(create_api_key.name) using errcode = 'duplicate_object',
            hint = 'Give the new one another name, move its users over, then drop the old one: select functions.drop_api_key(name).';
    end if;
    return key;
end
$$;
comment on function functions.create_api_key(text, text[], jsonb) is
    'Creates a key for the management API and returns it, once. Scopes: deploy, secrets, read, manage, *; options: functions, '
    'expires_at, expires_in.';
revoke all on function functions.create_api_key(text, text[], jsonb) from public;
