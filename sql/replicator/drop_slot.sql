-- functions_replication.drop_slot(slot) drops a replication slot of this database's installation, with the rights of the login that reads
-- the WAL. No other slot.
create function functions_replication.drop_slot(slot name) returns void
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
declare
    ours text := 'functions\_' || (select d.oid from pg_database d where d.datname = current_database());
begin
    if slot not like ours and slot not like ours || '\_%' then
        raise exception 'Replication slot % does not belong to this database''s installation.', slot
            using errcode = 'insufficient_privilege';
    end if;
    perform pg_drop_replication_slot(slot);
end
$$;
comment on function functions_replication.drop_slot(name) is
    'Drops a replication slot of this database''s installation, with the rights of the login that reads the WAL.';
