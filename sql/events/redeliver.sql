-- functions.redeliver(event) runs an event's function again: an event that is done, a dead letter, or one that waits for its next attempt.
-- The event keeps its id, so a function that uses the id as an idempotency key recognises the repetition. Its attempts start from zero, and
-- it is delivered without the order of its key. Returns the event's status from before: done, dead, retrying or pending. Errors:
-- undefined_object, there is no such event (or it is older than the retention); object_in_use, it is running at this moment.
create or replace function functions.redeliver(event uuid) returns text
language plpgsql set search_path = pg_catalog, functions, pg_temp as $$
declare
    waiting functions_private.deliveries;
    stored functions_private.events;
begin
    select d.* into waiting from functions_private.deliveries d where d.event_id = redeliver.event for update;
    if waiting.claimed_by is not null then
        raise exception 'Event % is being delivered at this moment.', redeliver.event using errcode = 'object_in_use',
            hint = 'Wait until it has ended: select status from functions.events where id = ...';
    end if;
    if waiting.event_id is not null then
        update functions_private.deliveries d set run_at = now(), attempts = 0 where d.event_id = redeliver.event;
        perform pg_notify('functions_events', 'deliveries');
        return case when waiting.attempts > 0 then 'retrying' else 'pending' end;
    end if;
    if exists (select from functions_private.dead_letters l where l.event_id = redeliver.event) then
        perform functions.redrive(jsonb_build_object('id', redeliver.event));
        return 'dead';
    end if;
    select e.* into stored from functions_private.events e where e.id = redeliver.event;
    if stored.id is null then
        raise exception 'There is no event %.', coalesce(redeliver.event::text, 'null') using errcode = 'undefined_object',
            hint = 'Events are kept for PGFN_LOG_RETENTION_DAYS: select id, status from functions.events order by occurred_at desc;';
    end if;
    insert into functions_private.deliveries (event_id, occurred_at, function, trigger_id)
    values (stored.id, stored.occurred_at, stored.function, 
        (select t.id from functions_private.triggers t where t.name = stored.trigger and stored.kind = 'database'))
    on conflict do nothing;
    perform pg_notify('functions_events', 'deliveries');
    return 'done';
end
$$;
comment on function functions.redeliver(uuid) is
    'Runs an event''s function again, also when it had succeeded. Returns the former status: done, dead, retrying or pending.';
revoke all on function functions.redeliver(uuid) from public;
