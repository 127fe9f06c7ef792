-- functions.recreate_slot() starts reading the WAL anew, from now: after an incident, and only then. Makes the publication and the slot again.
-- What was committed between the incidents' from_lsn and to_lsn and was not read has not fired functions: that is the gap to backfill.
create or replace function functions.recreate_slot() returns void
language plpgsql set search_path = pg_catalog, functions, pg_temp as $$
declare
    wanted name := functions_private.slot_name();
    published regclass;
    has_publication boolean := exists (select from pg_publication p where p.pubname = 'functions_events');
begin
    if not exists (select from functions_private.incidents i where i.closed_at is null) then
        raise exception 'No incident is open: there is nothing to start anew for.' using errcode = 'object_not_in_prerequisite_state';
    end if;
    if not has_publication then
        if exists (select from pg_replication_slots s where s.slot_name = wanted) then
            perform pg_drop_replication_slot(wanted);
        end if;
        -- First the publication, in a transaction that commits; then, called again, the slot.
        create publication functions_events for table functions_private.triggers with (publish_via_partition_root = true);
        for published in select distinct t.relation from functions_private.triggers t join pg_class c on c.oid = t.relation loop
            execute format('alter publication functions_events add table %s', published);
        end loop;
        raise notice 'The publication has been made again.' using hint = 'Call functions.recreate_slot() once more: the slot must be younger than the publication.';
        return;
    end if;
    lock table functions_private.triggers in share row exclusive mode;
    if exists (select from pg_replication_slots s where s.slot_name = wanted) then
        perform pg_drop_replication_slot(wanted);
    end if;
    perform functions_private.ensure_slot();
    update functions_private.incidents i set closed_at = now(), to_lsn = pg_current_wal_insert_lsn() where i.closed_at is null;
    perform pg_notify('functions_events', 'triggers');
end
$$;
comment on function functions.recreate_slot() is 'After an incident: starts reading the WAL anew, from now. The incident records the gap; functions.backfill fills it.';
revoke all on function functions.recreate_slot() from public;
