-- functions_private.validate_options(options) checks the options of a function and raises one error that names the key and what it may be.
-- Keys whose value is null are allowed: deploy takes them as "back to the default".
create or replace function functions_private.validate_options(options jsonb) returns void
language plpgsql stable set search_path = pg_catalog, pg_temp as $$
declare
    option record;
    bounds bigint[];
    pair record;
begin
    if jsonb_typeof(options) is distinct from 'object' then
        raise exception 'options must be a JSON object, not %', coalesce(jsonb_typeof(options), 'null') using errcode = 'invalid_parameter_value';
    end if;

    for option in select o.key, o.value, jsonb_typeof(o.value) as type from jsonb_each(options) o where jsonb_typeof(o.value) <> 'null' loop
        bounds := case option.key
            when 'timeout_ms'  then array[1000, 300000]
            when 'memory_mb'   then array[16, 512]
            when 'cpu_ms'      then array[10, 300000]
            when 'fuel'        then array[1000, 999999999999]
            when 'concurrency' then array[1, 10000]
            when 'queue_limit' then array[0, 100000]
            when 'rate_limit'  then array[1, 1000000]
            when 'retries'     then array[0, 100]
        end;
        if bounds is not null then
            perform functions_private.validate_number_option(option.key, option.value, bounds[1], bounds[2]);
        elsif option.key = 'verify_jwt' then
            if option.type <> 'boolean' then
                raise exception 'option verify_jwt must be true or false, not %', left(option.value::text, 60) using errcode = 'invalid_parameter_value';
            end if;
        elsif option.key = 'role' then
            perform functions_private.validate_role_option(option.value);
        elsif option.key = 'handler' then
            if option.type <> 'string' or option.value #>> '{}' !~ '^[A-Za-z_$][A-Za-z0-9_$]{0,127}$' then
                raise exception 'option handler must be the name of an exported function, not %', left(option.value::text, 60)
                    using errcode = 'invalid_parameter_value';
            end if;
        elsif option.key = 'allow_hosts' then
            if option.type <> 'array' or exists (select from jsonb_array_elements(option.value) h where jsonb_typeof(h) <> 'string') then
                raise exception 'option allow_hosts must be an array of host patterns, not %', left(option.value::text, 60)
                    using errcode = 'invalid_parameter_value';
            end if;
            perform functions_private.validate_host(h) from jsonb_array_elements_text(option.value) h;
        elsif option.key = 'env' then
            if option.type <> 'object' then
                raise exception 'option env must be an object of strings, not %', left(option.value::text, 60) using errcode = 'invalid_parameter_value';
            end if;
            for pair in select e.key, jsonb_typeof(e.value) as type from jsonb_each(option.value) e loop
                if pair.type <> 'string' or pair.key !~ '^[A-Za-z_][A-Za-z0-9_]{0,127}$' then
                    raise exception 'option env: % must be a variable''s name (letters, digits, _) with a string for its value', to_json(pair.key)
                        using errcode = 'invalid_parameter_value';
                end if;
            end loop;
        else
            raise exception 'unknown option %', to_json(option.key) using errcode = 'invalid_parameter_value',
                hint = 'The options are timeout_ms, memory_mb, cpu_ms, fuel, concurrency, queue_limit, rate_limit, role, verify_jwt, allow_hosts, env, retries, handler.';
        end if;
    end loop;
end
$$;
comment on function functions_private.validate_options(jsonb) is 'Raises an error that names the first option that is unknown or out of range.';
revoke all on function functions_private.validate_options(jsonb) from public;
