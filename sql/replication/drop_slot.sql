-- functions_private.drop_slot(slot) drops a replication slot of this installation, as the current user or as the login that reads the WAL.
create or replace function functions_private.drop_slot(slot name) returns void
language plpgsql set search_path = pg_catalog, pg_temp as $$
begin
    if functions_private.has_replicator() then
        perform functions_replication.drop_slot(slot);
    else
        perform pg_drop_replication_slot(slot);
    end if;
end
$$;
comment on function functions_private.drop_slot(name) is 'Drops a replication slot of this installation.';
revoke all on function functions_private.drop_slot(name) from public;
