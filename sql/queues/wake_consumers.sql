-- functions_private.wake_consumers(), trigger function: tells sidecars that wait for messages of the queue tg_argv[0] that some were sent.
-- Notifications make commits wait for each other, so there is none while every sidecar is busy; what is missed is found by polling.
-- Runs with the owner's rights, because senders may not read who waits. Only the owner can make a trigger of it.
create or replace function functions_private.wake_consumers() returns trigger
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
begin
    if exists (select from functions_private.queue_waits w where w.queue = tg_argv[0]) then
        perform pg_notify('functions_queues', tg_argv[0]);
    end if;
    return null;
end
$$;
comment on function functions_private.wake_consumers() is 'Trigger function: notifies sidecars that wait for messages of a queue.';
revoke all on function functions_private.wake_consumers() from public;
