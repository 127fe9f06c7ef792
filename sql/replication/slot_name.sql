-- functions_private.slot_name() -> the name of this database's replication slot. Slots belong to the cluster, hence the database's oid.
create or replace function functions_private.slot_name() returns name
language sql stable set search_path = pg_catalog, pg_temp as $$
    select ('functions_' || d.oid)::name from pg_database d where d.datname = current_database()
$$;
comment on function functions_private.slot_name() is 'The name of this database''s replication slot.';
revoke all on function functions_private.slot_name() from public;
