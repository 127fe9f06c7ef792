-- functions.role() -> the role the sidecar gave the statement, verified; null outside functions.
create or replace function functions.role() returns text
language plpgsql stable parallel restricted security definer set search_path = pg_catalog, functions, pg_temp as $$
begin
    return functions_private.verified_context() ->> 'role';
end
$$;
comment on function functions.role() is 'The verified role that the running function has; null outside functions.';
revoke all on function functions.role() from public;
grant execute on function functions.role() to public;
