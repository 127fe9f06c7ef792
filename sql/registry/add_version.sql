-- functions_private.add_version(name, language, source, module, options) -> version
-- Shared by all kinds of deploy: checks the name and the options, merges the options over those of the latest version (a key that is not
-- given keeps its value, a null takes it back to the default), and stores the version for a sidecar to compile, and to move to where
-- functions.set_code_storage says.
create or replace function functions_private.add_version(name text, language text, source text, module bytea, options jsonb)
returns integer
language plpgsql set search_path = pg_catalog, functions_private, pg_temp as $$
declare
    next_version integer;
    merged jsonb;
begin
    perform functions_private.validate_options(options);

    insert into functions_private.functions (name) values (add_version.name) on conflict do nothing;
    perform functions_private.require_function(add_version.name);

    select v.version, v.options into next_version, merged
    from functions_private.versions v where v.function = add_version.name
    order by v.version desc limit 1;
    next_version := coalesce(next_version, 0) + 1;
    merged := jsonb_strip_nulls(coalesce(merged, '{}') || add_version.options);

    if language <> 'wasm' and merged ? 'fuel' then
        raise exception 'option fuel counts the instructions of WebAssembly modules; functions in JavaScript have cpu_ms'
            using errcode = 'invalid_parameter_value';
    end if;

    insert into functions_private.versions (function, version, language, source, module, source_hash, options, code_move)
    values (add_version.name, next_version, add_version.language, add_version.source, add_version.module,
            sha256(coalesce(add_version.module, convert_to(add_version.source, 'UTF8'))), merged,
            (select c.write from functions_private.code_storage c where c.write <> 'table'));
    update functions_private.functions f set updated_at = now() where f.name = add_version.name; -- and its trigger tells the sidecars
    return next_version;
end
$$;
comment on function functions_private.add_version(text, text, text, bytea, jsonb) is
    'Stores a new version of a function and returns its number.';
revoke all on function functions_private.add_version(text, text, text, bytea, jsonb) from public;
