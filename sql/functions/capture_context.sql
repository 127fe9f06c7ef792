-- functions_private.capture_context(): the statement trigger of tables that fire functions. Has who makes the changes that follow written into
-- the WAL. For every statement: what a savepoint took back must not count.
-- Every writer of the table pays for it, so those whom no function can run as are let go first: logins that no login pgfn_<role> was made for,
-- superusers among them (caller() is null for them). Hence no WHEN, which is parsed anew for every statement, and no pinned search_path, which
-- costs as much as all the rest: every name in here has its schema instead.
create or replace function functions_private.capture_context() returns trigger
language plpgsql security definer as $$
begin
    if pg_catalog.current_setting('role') operator(pg_catalog.=) 'none'
       and pg_catalog.to_regrole(pg_catalog.quote_ident(pg_catalog.concat('pgfn_', session_user))) is null
       and not pg_catalog.starts_with(session_user, 'pgfn_') then
        return null;
    end if;
    perform functions_private.write_context();
    return null;
end
$$;
comment on function functions_private.capture_context() is 'Trigger: writes the caller of the changes that follow into the WAL, if functions can run as one.';
revoke all on function functions_private.capture_context() from public;
