-- functions_private.capture_context(): statement trigger of tables that fire functions. Writes the writer of the changes that follow into
-- the WAL, for every statement: a message that a savepoint rolled back must not count.
-- Superusers and the installation's owner are skipped first; without a message, functions run as service_role. A message is written for
-- everyone else. A session without a role is not enough to be skipped: a statement can reset its role while it runs, after the server has
-- checked its rights. So the login decides.
-- There is no WHEN, which is parsed again for every statement, and no pinned search_path, which costs as much as all the rest. Instead
-- every name is qualified. The current user is the function's owner, which is the installation's owner.
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
comment on function functions_private.capture_context() is
    'Trigger: writes the writer of the changes that follow into the WAL, unless it is a superuser or the owner.';
revoke all on function functions_private.capture_context() from public;
