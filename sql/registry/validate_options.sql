-- functions_private.validate_options(options) checks the options of a function and raises one error that names the key and what it may be.
-- Keys whose value is null are allowed: deploy takes them as "back to the default".
create or replace function functions_private.validate_options(options jsonb) returns void
language plpgsql stable set search_path = pg_catalog, pg_temp as $$
declare
    pair record;
begin
    perform functions_private.check_options(options,
        '{
            "timeout_ms": [1000, 300000], "memory_mb": [16, 512], "cpu_ms": [10, 300000], "fuel": [1000, 999999999999],
            "concurrency": [1, 10000], "queue_limit": [0, 100000], "rate_limit": [1, 1000000], "role": "role", "verify_jwt": "boolean",
            "allow_hosts": "other", "env": "other", "bindings": "other", "retries": [0, 100], "handler": "text"
        }',
        '{"timeout_ms": 60000}',
        '{"timeout_ms": ["timeout"], "memory_mb": ["memory"], "retries": ["maxretries"], "allow_hosts": ["hosts"]}');
    if options ->> 'handler' !~ '^[A-Za-z_$][A-Za-z0-9_$]{0,127}$' then
        raise exception 'option handler must be the name of an exported function, not %', left((options -> 'handler')::text, 60)
            using errcode = 'invalid_parameter_value';
    end if;
    if jsonb_typeof(options -> 'allow_hosts') <> 'null' then
        if jsonb_typeof(options -> 'allow_hosts') <> 'array'
            or exists (select from jsonb_array_elements(options -> 'allow_hosts') h where jsonb_typeof(h) <> 'string')
        then
            raise exception 'option allow_hosts must be an array of host patterns, not %', left((options -> 'allow_hosts')::text, 60)
                using errcode = 'invalid_parameter_value';
        end if;
        perform functions_private.validate_host(h) from jsonb_array_elements_text(options -> 'allow_hosts') h;
    end if;
    if jsonb_typeof(options -> 'env') <> 'null' then
        if jsonb_typeof(options -> 'env') <> 'object' then
            raise exception 'option env must be an object of strings, not %', left((options -> 'env')::text, 60)
                using errcode = 'invalid_parameter_value';
        end if;
        for pair in select e.key, jsonb_typeof(e.value) as type from jsonb_each(options -> 'env') e loop
            if pair.type <> 'string' or pair.key !~ '^[A-Za-z_][A-Za-z0-9_]{0,127}$' then
                raise exception 'option env: % must be a variable''s name (letters, digits, _) with a string for its value',
                    to_json(pair.key)
                    using errcode = 'invalid_parameter_value';
            end if;
        end loop;
    end if;
    perform functions_private.validate_bindings(options -> 'bindings');
end
$$;
comment on function functions_private.validate_options(jsonb) is
    'Raises an error that names the first option that is unknown or out of range.';
revoke all on function functions_private.validate_options(jsonb) from public;
