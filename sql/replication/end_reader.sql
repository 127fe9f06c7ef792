-- functions_private.end_reader(pid) ends the session that reads the slot, if it has this pid: as the current user, or with the rights of
-- the login that reads the WAL.
create or replace function functions_private.end_reader(pid integer) returns void
language plpgsql set search_path = pg_catalog, pg_temp as $$
begin
    perform pg_terminate_backend(s.active_pid)
    from pg_replication_slots s join pg_stat_activity a on a.pid = s.active_pid
    where s.slot_name = functions_private.slot_name() and s.active_pid = end_reader.pid and pg_has_role(a.usesysid, 'usage')
      and a.backend_type = 'walsender'; -- not a session that is creating the slot
    if not found and functions_private.has_replicator() then
        perform functions_replication.end_reader(end_reader.pid);
    end if;
end
$$;
comment on function functions_private.end_reader(integer) is 'Ends the session that reads the replication slot.';
revoke all on function functions_private.end_reader(integer) from public;
