-- functions_private.parse_without_rights(query) -> SQLSTATE and message of the error from parsing a query; nulls: it is well formed.
-- Owned by the login pgfn_conditions, which has no rights. Parsing may run code of a type's owner (the input function of a composite or an
-- array checks domains), and that code must not have the rights of the user who creates a trigger. The query is only parsed, neither
-- planned nor executed, and everything is rolled back, including settings.
do $$
begin
    if not pg_has_role(current_user, 'pgfn_conditions', 'usage') then
        begin
            execute format('grant pgfn_conditions to %I', current_user);
        exception when insufficient_privilege then
            raise exception 'Role % may not manage the login pgfn_conditions, which another database''s installation made.', current_user
                using errcode = 'insufficient_privilege',
                      hint = format('A superuser can change it: grant pgfn_conditions to %I with admin option;', current_user);
        end;
    end if;
end
$$;
create or replace function functions_private.parse_without_rights(query text, out error_code text, out error_message text)
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
begin
    begin
        execute 'prepare pgfn_condition as ' || query;
        if (select s.parameter_types from pg_prepared_statements s where s.name = 'pgfn_condition') <> '{}' then
            error_code := '42P02';
            error_message := 'it can''t have parameters ($1)';
        end if;
        deallocate pgfn_condition;
        raise exception using errcode = 'PG0OK';
    exception
        when sqlstate 'PG0OK' then null;
        when others then
            error_code := sqlstate;
            error_message := sqlerrm;
    end;
end
$$;
comment on function functions_private.parse_without_rights(text) is
    'Parses a query with the rights of pgfn_conditions, which has none; returns the error, or nulls.';
revoke all on function functions_private.parse_without_rights(text) from public;
do $$
begin
    execute format('grant execute on function functions_private.parse_without_rights(text) to %I', current_user);
    grant create on schema functions_private to pgfn_conditions; -- the new owner needs it for the next statement
    alter function functions_private.parse_without_rights(text) owner to pgfn_conditions;
    revoke create on schema functions_private from pgfn_conditions;
end
$$;
