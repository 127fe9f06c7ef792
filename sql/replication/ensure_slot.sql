-- functions_private.ensure_slot() ensures that the replication slot exists. Sidecars create it while there are no triggers
-- (PGFN_KEEP_SLOT). Without a sidecar it is created here, which only a transaction that has not written anything yet can do; a rollback
-- does not undo it. The caller holds the lock on functions_private.triggers, so that no sidecar considers the slot unused and drops it.
create or replace function functions_private.ensure_slot() returns void
language plpgsql set search_path = pg_catalog, pg_temp as $$
declare
    wanted name := functions_private.slot_name();
    max_wait constant interval := '5 seconds';
    began constant timestamptz := clock_timestamp();
begin
    if current_setting('wal_level') <> 'logical' then
        raise exception 'Row changes can''t fire functions: wal_level is %, it must be logical.', current_setting('wal_level')
            using errcode = 'object_not_in_prerequisite_state', hint = 'alter system set wal_level = logical; then restart the server.';
    end if;
    -- A slot that is being created has no position yet: transactions that commit before it has one are not read.
    while exists (select from pg_replication_slots s where s.slot_name = wanted) loop
        if exists (select from pg_replication_slots s where s.slot_name = wanted and s.confirmed_flush_lsn is not null) then
            return;
        end if;
        if pg_current_xact_id_if_assigned() is not null or clock_timestamp() > began + max_wait then
            raise exception 'The replication slot is being created; the server waits for the end of transactions that have written something.'
                using errcode = 'object_not_in_prerequisite_state', detail = functions_private.slot_holders(),
                      hint = 'End this transaction and call functions.create_trigger again when functions.replication has a position (confirmed_flush_lsn).';
        end if;
        perform pg_sleep(0.05);
    end loop;
    if not functions_private.may_replicate() and not functions_private.has_replicator() then
        raise exception 'There is no replication slot, and role % may not create it.', current_user
            using errcode = 'insufficient_privilege',
                  hint = format('Start a sidecar whose PGFN_REPLICATION_URL has a login that may: it makes the slot. Or run pgfn install, which makes such a login; or: alter role %I replication;', current_user);
    end if;
    if pg_current_xact_id_if_assigned() is not null then
        raise exception 'There is no replication slot, and a transaction that has written something can''t create it.'
            using errcode = 'active_sql_transaction',
                  hint = 'Start a sidecar, which makes the slot, and run this again. Or create the first trigger of the database in a transaction of its own.';
    end if;
    if functions_private.has_replicator() then
        perform functions_replication.create_slot();
    elsif current_setting('server_version_num')::integer >= 170000 then
        -- failover: the slot follows the database to a standby that is promoted
        execute format('select pg_create_logical_replication_slot(%L, ''pgoutput'', false, false, true)', wanted);
    else
        perform pg_create_logical_replication_slot(wanted, 'pgoutput');
    end if;
exception when configuration_limit_exceeded then
    raise exception 'All replication slots are in use.' using errcode = 'configuration_limit_exceeded',
        hint = 'Raise max_replication_slots and restart the server, or drop an unused slot (select * from pg_replication_slots).';
end
$$;
comment on function functions_private.ensure_slot() is 'Ensures that the replication slot exists; creates it where that is possible.';
revoke all on function functions_private.ensure_slot() from public;
