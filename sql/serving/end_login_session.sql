-- functions_serving.end_login_session(pid, login, age, wait_ms) -> whether the session was signalled (and has ended, if it was waited
-- for); null: there is no such session any more
-- Ends a session of a login of functions in this database, with the owner's rights. The server may have reused the pid for a session that
-- is younger than age.
create or replace function functions_serving.end_login_session(pid integer, login name, age interval default '0', wait_ms bigint default 0)
returns boolean
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
begin
    if to_regrole(quote_ident(login)) is null then
        return null;
    end if;
    perform functions_private.require_function_login(login);
    return (
        select pg_terminate_backend(a.pid, wait_ms) from pg_stat_activity a
        where a.pid = end_login_session.pid and a.usename = login and a.datname = current_database()
          and coalesce(a.backend_start <= clock_timestamp() - age, true));
end
$$;
comment on function functions_serving.end_login_session(integer, name, interval, bigint) is
    'Ends a session of a login of functions in this database, with the owner''s rights.';
revoke all on function functions_serving.end_login_session(integer, name, interval, bigint) from public;
