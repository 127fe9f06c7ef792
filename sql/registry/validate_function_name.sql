-- functions_private.validate_function_name(name) raises unless the text is a valid function name.
create or replace function functions_private.validate_function_name(name text) returns void
language plpgsql immutable set search_path = pg_catalog, pg_temp as $$
begin
    if name is null or name !~ '^[a-z][a-z0-9_-]{0,63}$' then
        raise exception '% is not a function name', coalesce(to_json(left(name, 80))::text, 'null') using errcode = 'invalid_name',
            hint = 'A name starts with a letter, has lower-case letters, digits, _ and -, and at most 64 of them.';
    end if;
end
$$;
comment on function functions_private.validate_function_name(text) is 'Raises unless the text is a valid function name.';
revoke all on function functions_private.validate_function_name(text) from public;
