-- functions_private.reset_login(login) removes the settings that a login of functions gave itself, for all databases and for this one.
create or replace function functions_private.reset_login(login name) returns void
language plpgsql set search_path = pg_catalog, pg_temp as $$
begin
    perform functions_private.require_function_login(login);
    execute format('alter role %I reset all', login);
    execute format('alter role %I in database %I reset all', login, current_database());
end
$$;
comment on function functions_private.reset_login(name) is 'Removes the settings that a login of functions gave itself.';
revoke all on function functions_private.reset_login(name) from public;

create or replace function functions_serving.reset_login(login name) returns void
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
begin
    perform functions_private.reset_login(login);
end
$$;
comment on function functions_serving.reset_login(name) is
    'Removes the settings that a login of functions gave itself, with the owner''s rights. No other role''s.';
revoke all on function functions_serving.reset_login(name) from public;
