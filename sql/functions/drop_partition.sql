-- functions_private.drop_partition(parent, day, patience) -> was it dropped
-- Drops the partition of one UTC day of functions_private.invocations, .logs or .events. Not when somebody reads the table for longer than the
-- patience: everything that comes after this would wait as well. Not when something of the day is still to be delivered, which is asked once
-- nobody can add to it: who stores a delivery has locked the events before, in the same transaction.
-- The setting is for its end: what a function sets otherwise outlives it.
create or replace function functions_private.drop_partition(parent text, day date, patience interval) returns boolean
language plpgsql set search_path = pg_catalog, pg_temp set lock_timeout = '200ms' as $$
declare
    partition text := format('%s_%s', parent, to_char(day, 'YYYYMMDD'));
begin
    if parent = 'events' and current_setting('transaction_isolation') <> 'read committed' then
        return false; -- its snapshot is older than the lock
    end if;
    perform set_config('lock_timeout', round(extract(epoch from patience) * 1000)::text, true);
    execute format('lock table only functions_private.%I in access exclusive mode', parent);
    if to_regclass('functions_private.' || partition) is null -- another sidecar dropped it while this one waited
       or parent = 'events' and exists (
           select from (select h.occurred_at from functions_private.held_deliveries h union all select d.occurred_at from functions_private.deliveries d) d
           where d.occurred_at >= (day || ' 00:00:00+00')::timestamptz and d.occurred_at < (day + 1 || ' 00:00:00+00')::timestamptz) then
        return false;
    end if;
    execute format('drop table functions_private.%I', partition);
    return true;
exception when lock_not_available or deadlock_detected then
    return false;
end
$$;
comment on function functions_private.drop_partition(text, date, interval) is
    'Drops the partition of one UTC day of invocations, logs or events, unless it is read or something of it is still to be delivered.';
revoke all on function functions_private.drop_partition(text, date, interval) from public;
