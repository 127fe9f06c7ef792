-- functions_private.capture_context(): the statement trigger of tables that fire functions. Has who makes the changes that follow written into
-- the WAL. For every statement: what a savepoint took back must not count.
-- Superusers and the installation's owner are let go first; without a message, functions run as service_role. Everybody else has one written.
-- That a session has no role at this moment says nothing by itself: a statement can reset its role while it runs, after the server has checked
-- what it may do. So the login decides.
-- No WHEN, which is parsed anew for every statement, and no pinned search_path, which costs as much as all the rest: every name in here
-- has its schema instead. The current user is the function's owner, which is the installation's.
create or replace function functions_private.capture_context() returns trigger
language plpgsql security definer as $$
begin
    if pg_catalog.current_setting('role') operator(pg_catalog.=) 'none'
       and (pg_catalog.current_setting('is_superuser') operator(pg_catalog.=) 'on' or session_user operator(pg_catalog.=) current_user) then
        return null;
    end if;
    perform functions_private.write_context();
    return null;
end
$$;
comment on function functions_private.capture_context() is 'Trigger: writes the caller of the changes that follow into the WAL, unless it is a superuser or the owner.';
revoke all on function functions_private.capture_context() from public;
