-- functions_private.guard_logins(grace) -> the sessions of functions' logins that were ended, and why: {login, finding}
-- A function's session is logged in as pgfn_<role>, and PostgreSQL lets every role change its own password. This ends:
--   sessions of a login that no sidecar opened (someone knows its password), once they are older than grace: a sidecar registers its own
-- within that time.
--   Only in this database: sidecars of other databases of the cluster use the same logins.
--   sessions that are altering a role: no statement of a function needs that, and an open transaction would keep the sidecar from setting
-- the login's
--   password.
-- The sidecar resets the passwords of logins that have been used. It resets settings that a login gave itself when it opens a session. A
-- role can change nothing else of itself.
create or replace function functions_private.guard_logins(grace interval) returns table (login name, finding text)
language plpgsql set search_path = pg_catalog, pg_temp as $$
declare
    session record;
begin
    delete from functions_private.login_sessions s
    where not exists (select from pg_stat_activity a where a.pid = s.pid and a.backend_start = s.started_at);

    for session in
        select a.pid, r.login, a.client_addr, exists (
                   select from pg_locks l where l.pid = a.pid and l.mode = 'RowExclusiveLock' and l.granted
                     and l.relation in ('pg_authid'::regclass, 'pg_auth_members'::regclass, 'pg_db_role_setting'::regclass)) as alters,
               not exists (select from functions_private.login_sessions s
                   where s.pid = a.pid and s.started_at = a.backend_start) as is_foreign
        from pg_stat_activity a join functions_private.roles r on r.login = a.usename
        where a.datname = current_database() and a.backend_type = 'client backend' and a.backend_start < clock_timestamp() - grace
    loop
        if session.alters or session.is_foreign then
            perform pg_terminate_backend(session.pid);
            login := session.login;
            finding := case when session.is_foreign
                then format('a session that no sidecar opened (process %s, from %s) was ended', session.pid,
                    coalesce(host(session.client_addr), 'this host'))
                else format('a session that was altering a role (process %s) was ended', session.pid) end;
            return next;
        end if;
    end loop;
end
$$;
comment on function functions_private.guard_logins(interval) is
    'Ends sessions of functions'' logins that no sidecar opened or that alter a role; returns what was found.';
revoke all on function functions_private.guard_logins(interval) from public;
