-- functions_private.validate_role_option(value) raises unless functions may run as the role that the option "role" names.
create or replace function functions_private.validate_role_option(value jsonb) returns void
language plpgsql stable set search_path = pg_catalog, pg_temp as $$
begin
    if jsonb_typeof(value) <> 'string' then
        raise exception 'option role must be the name of a role, not %', left(value::text, 60) using errcode = 'invalid_parameter_value';
    elsif not exists (select from functions_private.roles r where r.role = value #>> '{}') then
        raise exception 'option role: functions may not run as %', value
            using errcode = 'invalid_parameter_value',
                  hint = format('The roles they may run as: %s. To add one: select functions.grant_role(%L);',
                      (select string_agg(r.role, ', ' order by r.role) from functions_private.roles r), value #>> '{}');
    end if;
end
$$;
comment on function functions_private.validate_role_option(jsonb) is 'Raises unless functions may run as the role that an option names.';
revoke all on function functions_private.validate_role_option(jsonb) from public;
