-- functions_replication.end_reader(pid) -> whether a session was signalled
-- Ends the session that reads the WAL of this database's slot, if it belongs to the login that owns this function: a session that has
-- stalled, or that an uninstallation finds. The installation's owner may not end sessions of that login itself.
create function functions_replication.end_reader(pid integer) returns boolean
language sql security definer set search_path = pg_catalog, pg_temp as $$
    select coalesce(bool_or(pg_terminate_backend(s.active_pid)), false)
    from pg_replication_slots s join pg_stat_activity a on a.pid = s.active_pid
    where s.slot_name like 'functions\_' || (select d.oid from pg_database d where d.datname = current_database()) || '%'
      and s.database = current_database() and s.active_pid = end_reader.pid and a.usename = current_user
      and a.backend_type = 'walsender' -- and not the session of somebody who is making the slot
$$;
comment on function functions_replication.end_reader(integer) is
    'Ends the session that reads this database''s slot, with the rights of the login that reads the WAL; true if signalled.';
