-- functions.deploy(name, source, language, options) -> version
-- Stores a new version of a function; a sidecar compiles it and, when that works, activates it. Until then the former version
-- stays active. Options are merged over those of the latest version: a key that is not given keeps its value, a null takes it back to the
-- default.
--   timeout_ms 1000-300000 (10000), memory_mb 16-512 (128), cpu_ms 10-300000 (= timeout_ms), concurrency 1-10000, queue_limit 0-100000,
--   rate_limit 1-1000000 (invocations a second), role, verify_jwt (true), allow_hosts [pattern, ...], env {KEY: "value"}, retries 0-100,
--   handler (the export that is called), bindings {NAME: {"queue": "emails"}}: further caches, queues, indexes and buckets of env.
create or replace function functions.deploy(name text, source text, language text default 'javascript', options jsonb default '{}')
returns integer
language plpgsql set search_path = pg_catalog, functions, pg_temp as $$
begin
    perform functions_private.validate_function_name(deploy.name);
    if language is distinct from 'javascript' then
        raise exception 'language must be ''javascript'', not %', coalesce(quote_literal(left(language, 80)), 'null')
            using errcode = 'invalid_parameter_value',
            hint = 'WebAssembly modules are deployed by functions.deploy_wasm(name, module, options).';
    end if;
    if source is null or source !~ '\S' then
        raise exception 'source is empty' using errcode = 'invalid_parameter_value',
            hint = 'For example: export async function handler(event) { return { hello: event.body } }';
    end if;
    if octet_length(source) > 16 * 1024 * 1024 then
        raise exception 'source has % bytes; 16 MiB is the most', octet_length(source) using errcode = 'program_limit_exceeded';
    end if;
    return functions_private.add_version(deploy.name, deploy.language, deploy.source, null, deploy.options);
end
$$;
comment on function functions.deploy(text, text, text, jsonb) is
    'Stores a new version of a function and returns its number. A sidecar compiles it; functions.wait_ready(name) waits for the outcome.';
revoke all on function functions.deploy(text, text, text, jsonb) from public;
