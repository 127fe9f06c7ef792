-- functions.recreate_slot() starts reading the WAL from the present position: after an incident, and only then. Recreates the publications
-- and the slot. Unread transactions between the incidents' from_lsn and to_lsn have not fired functions: that is the gap to backfill.
create or replace function functions.recreate_slot() returns void
language plpgsql set search_path = pg_catalog, functions, pg_temp as $$
declare
    wanted name := functions_private.slot_name();
    published regclass;
    has_publication boolean := (select count(*) = 2 from pg_publication p
        where p.pubname in ('functions_events', 'functions_events_changes'));
begin
    if not exists (select from functions_private.incidents i where i.closed_at is null) then
        raise exception 'No incident is open: there is no reason to recreate the slot.'
            using errcode = 'object_not_in_prerequisite_state',
                  hint = 'select * from functions.incidents; and functions.replication, which says whether the WAL is read.';
    end if;
    if not has_publication then
        if exists (select from pg_replication_slots s where s.slot_name = wanted) then
            perform functions_private.drop_slot(wanted);
        end if;
        -- First the publications, in a transaction that commits; then, called again, the slot.
        perform functions_private.create_publications();
        for published in select distinct t.relation from functions_private.triggers t join pg_class c on c.oid = t.relation loop
            perform functions_private.publish_table(published);
        end loop;
        raise notice 'The publications were recreated.'
            using hint = 'Call functions.recreate_slot() once more: the slot must be younger than the publications.';
        return;
    end if;
    perform functions_private.lock_triggers();
    if exists (select from pg_replication_slots s where s.slot_name = wanted) then
        perform functions_private.drop_slot(wanted);
    end if;
    perform functions_private.ensure_slot();
    update functions_private.incidents i set closed_at = now(), to_lsn = pg_current_wal_insert_lsn() where i.closed_at is null;
    perform pg_notify('functions_events', 'triggers');
end
$$;
comment on function functions.recreate_slot() is
    'After an incident: reads the WAL from now on. The incident records the gap; functions.backfill fills it.';
revoke all on function functions.recreate_slot() from public;
