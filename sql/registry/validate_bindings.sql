-- functions_private.validate_bindings(bindings) raises unless the option "bindings" of a function is an object whose members have a kind
-- and a name, for example {"EMAILS": {"queue": "emails"}}. What they name need not exist yet.
create or replace function functions_private.validate_bindings(bindings jsonb) returns void
language plpgsql immutable set search_path = pg_catalog, pg_temp as $$
declare
    kinds constant text[] := array['cache', 'queue', 'index', 'bucket', 'database'];
    default_names constant text[] := array['DB', 'CACHE', 'QUEUE', 'STORAGE', 'VECTORIZE', 'AI'];
    example constant text := 'For example: {"EMAILS": {"queue": "emails"}}. The kinds are ' || array_to_string(kinds, ', ') || '.';
    binding record;
    kind text;
    target text;
begin
    if coalesce(jsonb_typeof(bindings), 'null') = 'null' then
        return;
    elsif jsonb_typeof(bindings) <> 'object' then
        raise exception 'option bindings must be an object, not %', left(bindings::text, 60)
            using errcode = 'invalid_parameter_value', hint = example;
    end if;
    if (select count(*) from jsonb_object_keys(bindings)) > 100 then
        raise exception 'option bindings has more than 100 members' using errcode = 'program_limit_exceeded';
    end if;
    for binding in select b.key, b.value, jsonb_typeof(b.value) as type from jsonb_each(bindings) b loop
        if binding.key !~ '^[A-Za-z_][A-Za-z0-9_]{0,127}$' or binding.key like '\_\_%' then
            raise exception 'option bindings: % is not a name for a member of env (letters, digits, _)', to_json(left(binding.key, 140))
                using errcode = 'invalid_parameter_value';
        elsif binding.key = any (default_names) then
            raise exception 'option bindings: % is one that every function has', to_json(binding.key)
                using errcode = 'invalid_parameter_value', hint = 'Give it another name.';
        end if;
        if binding.type <> 'object' or (select count(*) from jsonb_object_keys(binding.value)) <> 1 then
            raise exception 'option bindings: % must be an object with one member, not %', to_json(binding.key),
                left(binding.value::text, 60)
                using errcode = 'invalid_parameter_value', hint = example;
        end if;
        select b.key, case when jsonb_typeof(b.value) = 'string' then b.value #>> '{}' end into kind, target
        from jsonb_each(binding.value) b;
        if kind <> all (kinds) then
            raise exception 'option bindings: there is no kind %', to_json(left(kind, 60))
                using errcode = 'invalid_parameter_value', hint = example;
        elsif target is null or target !~ '^[a-z][a-z0-9_-]{0,63}$' or kind = 'database' and target <> 'default' then
            raise exception 'option bindings: % is not the name of a %', left((binding.value -> kind)::text, 80), kind
                using errcode = 'invalid_parameter_value',
                hint = case when kind = 'database' then 'The only database is "default".'
                    else 'A name starts with a letter, has lower-case letters, digits, _ and -, and at most 64 of them.' end;
        end if;
    end loop;
end
$$;
comment on function functions_private.validate_bindings(jsonb) is 'Raises unless the option "bindings" of a function is well-formed.';
revoke all on function functions_private.validate_bindings(jsonb) from public;
