-- functions_private.validate_number_option(key, value, lowest, highest) raises unless an option is a whole number in its range.
create or replace function functions_private.validate_number_option(key text, value jsonb, lowest bigint, highest bigint) returns void
language plpgsql immutable set search_path = pg_catalog, pg_temp as $$
begin
    if jsonb_typeof(value) <> 'number' or value::text !~ '^-?[0-9]{1,16}$' or value::text::bigint not between lowest and highest then
        raise exception 'option % must be a whole number from % to %, not %', key, lowest, highest, left(value::text, 60)
            using errcode = 'invalid_parameter_value';
    end if;
end
$$;
comment on function functions_private.validate_number_option(text, jsonb, bigint, bigint) is
    'Raises unless an option is a whole number in its range.';
revoke all on function functions_private.validate_number_option(text, jsonb, bigint, bigint) from public;
