-- functions_serving.register_session(pid) records a session of a login of functions as one that a sidecar opened, so that
-- functions_private.guard_logins does not end it. Sessions of other users are not recorded. Runs as the owner, who sees when it began.
create or replace function functions_serving.register_session(pid integer) returns void
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
begin
    insert into functions_private.login_sessions (pid, started_at)
    select a.pid, a.backend_start from pg_stat_activity a
    where a.pid = register_session.pid and a.backend_start is not null
      and (a.usename = 'pgfn_conditions' or a.usename in (select r.login from functions_private.roles r))
    on conflict do nothing;
end
$$;
comment on function functions_serving.register_session(integer) is
    'Records a session of a login of functions as one that a sidecar opened.';
revoke all on function functions_serving.register_session(integer) from public;
