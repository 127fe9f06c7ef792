-- functions.deploy(name, source, language, options) -> version
-- Stores a new version of a function; a sidecar compiles it and, when that works, makes it the active one. Until then the former version
-- answers. Options are merged over those of the latest version: a key that is not given keeps its value, a null takes it back to the default.
--   timeout_ms 1000-300000 (10000), memory_mb 16-512 (128), cpu_ms 10-300000 (= timeout_ms), concurrency 1-10000, queue_limit 0-100000,
--   rate_limit 1-1000000 (invocations a second), role, verify_jwt (true), allow_hosts [pattern, ...], env {KEY: "value"}, retries 0-100,
--   handler (the export that is called).
create or replace function functions.deploy(name text, source text, language text default 'javascript', options jsonb default '{}')
returns integer
language plpgsql set search_path = pg_catalog, functions, pg_temp as $$
declare
    next_version integer;
    merged jsonb;
begin
    if name is null or name !~ '^[a-z][a-z0-9_-]{0,63}$' then
        raise exception '% is not a function name', coalesce(to_json(left(name, 80))::text, 'null') using errcode = 'invalid_name',
            hint = 'A name starts with a letter, has lower-case letters, digits, _ and -, and at most 64 of them.';
    end if;
    if language is distinct from 'javascript' then
        raise exception 'language must be ''javascript'', not %', coalesce(quote_literal(left(language, 80)), 'null') using errcode = 'invalid_parameter_value';
    end if;
    if source is null or source !~ '\S' then
        raise exception 'source is empty' using errcode = 'invalid_parameter_value',
            hint = 'For example: export async function handler(event) { return { hello: event.body } }';
    end if;
    if octet_length(source) > 16 * 1024 * 1024 then
        raise exception 'source has % bytes; 16 MiB is the most', octet_length(source) using errcode = 'program_limit_exceeded';
    end if;
    perform functions_private.validate_options(options);

    insert into functions_private.functions (name) values (deploy.name) on conflict do nothing;
    perform functions_private.require_function(deploy.name);

    select v.version, v.options into next_version, merged
    from functions_private.versions v where v.function = deploy.name
    order by v.version desc limit 1;
    next_version := coalesce(next_version, 0) + 1;
    merged := jsonb_strip_nulls(coalesce(merged, '{}') || deploy.options);

    insert into functions_private.versions (function, version, language, source, source_hash, options)
    values (deploy.name, next_version, deploy.language, deploy.source, sha256(convert_to(deploy.source, 'UTF8')), merged);
    update functions_private.functions f set updated_at = now() where f.name = deploy.name; -- and its trigger tells the sidecars
    return next_version;
end
$$;
comment on function functions.deploy(text, text, text, jsonb) is
    'Stores a new version of a function and returns its number. A sidecar compiles it; call functions.wait_ready(name) to see how that went.';
revoke all on function functions.deploy(text, text, text, jsonb) from public;
