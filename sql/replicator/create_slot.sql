-- functions_replication.create_slot() creates this database's replication slot. Owned by the login that reads the WAL, and runs with its
-- rights: the installation's owner has no REPLICATION right. Only a transaction that has not written anything yet can create a slot.
create function functions_replication.create_slot() returns void
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
declare
    slot name := 'functions_' || (select d.oid from pg_database d where d.datname = current_database());
begin
    if current_setting('server_version_num')::integer >= 170000 then
        -- failover: the slot follows the database to a standby that is promoted
        execute format('select pg_create_logical_replication_slot(%L, ''pgoutput'', false, false, true)', slot);
    else
        perform pg_create_logical_replication_slot(slot, 'pgoutput');
    end if;
end
$$;
comment on function functions_replication.create_slot() is
    'Creates this database''s replication slot, with the rights of the login that reads the WAL.';
