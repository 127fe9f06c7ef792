-- functions_private.drop_partition(parent, day, max_wait) -> whether it was dropped
-- Drops the partition of one UTC day of functions_private.invocations, .logs, .ai_calls or .events. Keeps it when another session reads the
-- table for longer than max_wait, since every later statement would wait as well. Keeps it when an event of the day is still to be
-- delivered. That is checked under the lock, when no session can add a delivery: a session that stores deliveries has locked the events
-- before, in the same transaction. The function has a SET clause so that lock_timeout is restored when it ends: otherwise set_config would
-- outlive it.
create or replace function functions_private.drop_partition(parent text, day date, max_wait interval) returns boolean
language plpgsql set search_path = pg_catalog, pg_temp set lock_timeout = '200ms' as $$
declare
    partition text := format('%s_%s', parent, to_char(day, 'YYYYMMDD'));
begin
    if parent = 'events' and current_setting('transaction_isolation') <> 'read committed' then
        return false; -- its snapshot is older than the lock
    end if;
    perform set_config('lock_timeout', round(extract(epoch from max_wait) * 1000)::text, true);
    execute format('lock table only functions_private.%I in access exclusive mode', parent);
    if to_regclass('functions_private.' || partition) is null -- another sidecar dropped it while this one waited
       or parent = 'events' and exists (
           select from (select h.occurred_at from functions_private.held_deliveries h
               union all select d.occurred_at from functions_private.deliveries d) d
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
    'Drops the partition of one UTC day of invocations, logs or events, unless it is in use or has undelivered events; true if dropped.';
revoke all on function functions_private.drop_partition(text, date, interval) from public;
