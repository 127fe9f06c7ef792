-- functions_private.ensure_slot() makes the replication slot unless it is there. A slot can only be made by a transaction that has not written
-- anything yet; it is not undone by a rollback. The caller holds the lock on functions_private.triggers, so that no sidecar takes the slot for
-- one that nobody needs and drops it.
create or replace function functions_private.ensure_slot() returns void
language plpgsql set search_path = pg_catalog, pg_temp as $$
declare
    wanted name := functions_private.slot_name();
begin
    if current_setting('wal_level') <> 'logical' then
        raise exception 'Row changes can''t fire functions: wal_level is %, it must be logical.', current_setting('wal_level')
            using errcode = 'object_not_in_prerequisite_state', hint = 'alter system set wal_level = logical; then restart the server.';
    end if;
    if exists (select from pg_replication_slots s where s.slot_name = wanted) then
        return;
    end if;
    if not (select r.rolsuper or r.rolreplication from pg_roles r where r.rolname = current_user) then
        raise exception 'Role % may not create the replication slot.', current_user
            using errcode = 'insufficient_privilege', hint = format('alter role %I replication;', current_user);
    end if;
    if pg_current_xact_id_if_assigned() is not null then
        raise exception 'The first trigger must be created by a transaction that has not written anything before.'
            using errcode = 'active_sql_transaction', hint = 'Call functions.create_trigger in a transaction of its own.';
    end if;
    if current_setting('server_version_num')::integer >= 170000 then
        -- failover: the slot follows the database to a standby that is promoted
        execute format('select pg_create_logical_replication_slot(%L, ''pgoutput'', false, false, true)', wanted);
    else
        perform pg_create_logical_replication_slot(wanted, 'pgoutput');
    end if;
exception when configuration_limit_exceeded then
    raise exception 'All replication slots are in use.' using errcode = 'configuration_limit_exceeded',
        hint = 'Raise max_replication_slots and restart the server, or drop a slot that nobody reads (select * from pg_replication_slots).';
end
$$;
comment on function functions_private.ensure_slot() is 'Makes the replication slot unless it is there.';
revoke all on function functions_private.ensure_slot() from public;
