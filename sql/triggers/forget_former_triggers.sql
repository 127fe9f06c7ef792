-- functions_private.forget_former_triggers() removes former definitions that no unread change needs. The last definition of a dropped
-- trigger stays while events that were stored under it wait: it determines their batches and retries.
create or replace function functions_private.forget_former_triggers() returns void
language plpgsql set search_path = pg_catalog, pg_temp as $$
begin
    delete from functions_private.former_triggers f
    where f.ended_lsn < coalesce(
        (select s.confirmed_flush_lsn from pg_replication_slots s where s.slot_name = functions_private.slot_name()), pg_current_wal_lsn())
      and (exists (select from functions_private.triggers t where t.id = f.id)
        or not exists (select from functions_private.deliveries d where d.trigger_id = f.id));
    -- A function that posts to a URL outlives its trigger while events of the trigger may still be delivered.
    delete from functions_private.functions f
    where f.url_target
      and not exists (select from functions_private.triggers t where t.function = f.name)
      and not exists (select from functions_private.former_triggers t where t.function = f.name)
      and not exists (select from functions_private.deliveries d where d.function = f.name);
end
$$;
comment on function functions_private.forget_former_triggers() is
    'Removes former definitions of triggers that no unread change or waiting event needs.';
revoke all on function functions_private.forget_former_triggers() from public;
