-- functions_serving.end_former_inboxes() ends the inbox sessions of former sidecars in this database that have a transaction open, those
-- of the owner and of every login that serves: the sidecar that reads now may serve as another login than the former one. "pgfn inbox" is
-- the application name of these sessions and of no other.
create or replace function functions_serving.end_former_inboxes() returns void
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
begin
    perform pg_terminate_backend(a.pid) from pg_stat_activity a
    where a.datname = current_database() and a.application_name = 'pgfn inbox' and a.state <> 'idle'
      and (a.usename = current_user or a.usename in (select s.login from functions_private.servers s) and pg_has_role(a.usesysid, 'usage'));
end
$$;
comment on function functions_serving.end_former_inboxes() is
    'Ends inbox sessions of former sidecars that have a transaction open, with the owner''s rights.';
revoke all on function functions_serving.end_former_inboxes() from public;
