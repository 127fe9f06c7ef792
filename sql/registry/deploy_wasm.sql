-- functions.deploy_wasm(name, module, options) -> version
-- Stores a new version of a function that is a WebAssembly module in the binary format: a WASI preview 1 command, a reactor with a
-- handler, or a component of WASI 0.2 (docs/wasm-abi.md). Options as functions.deploy, and fuel 1000-999999999999: the instructions of an
-- invocation. A sidecar validates and compiles it; functions.wait_ready raises what is wrong, with the byte offset. At most 10 MiB, or what
-- `alter database ... set functions.max_module_mb = 25` says, 25 at most.
create or replace function functions.deploy_wasm(name text, module bytea, options jsonb default '{}')
returns integer
language plpgsql set search_path = pg_catalog, functions, pg_temp as $$
declare
    most_mb constant integer := 25;
    setting constant text := coalesce(nullif(current_setting('functions.max_module_mb', true), ''), '10');
begin
    perform functions_private.validate_function_name(deploy_wasm.name);
    if setting !~ '^[0-9]{1,3}$' or setting::integer not between 1 and most_mb then
        raise exception 'functions.max_module_mb must be a whole number from 1 to %, not %', most_mb, quote_literal(left(setting, 60))
            using errcode = 'invalid_parameter_value';
    end if;
    if module is null or octet_length(module) < 8 or substr(module, 1, 4) <> '\x0061736d' then
        raise exception 'this is no WebAssembly module: it does not begin with \0asm' using errcode = 'invalid_parameter_value',
            hint = case when substr(module, 1, 1) = '(' then 'This may be its text: wat2wasm makes a module of it.'
                        else 'Give the bytes of a .wasm file; JavaScript is deployed by functions.deploy.' end;
    end if;
    if octet_length(module) > setting::integer * 1024 * 1024 then
        raise exception 'module has % bytes; % MiB is the most', octet_length(module), setting using errcode = 'program_limit_exceeded',
            hint = format('The setting functions.max_module_mb may be up to %s.', most_mb);
    end if;
    return functions_private.add_version(deploy_wasm.name, 'wasm', null, deploy_wasm.module, deploy_wasm.options);
end
$$;
comment on function functions.deploy_wasm(text, bytea, jsonb) is
    'Stores a WebAssembly module or component as a new version of a function and returns its number; functions.wait_ready(name) waits for '
    'its validation.';
revoke all on function functions.deploy_wasm(text, bytea, jsonb) from public;
