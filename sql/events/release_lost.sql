-- functions_private.release_lost(sidecar, ids) -> the deliveries that were removed
-- Releases deliveries that are assigned to the sidecar but that it does not know. One cause is that claiming found no event. Nobody can
-- deliver such a delivery, so it is removed; if it is an invocation, its result says so.
create or replace function functions_private.release_lost(sidecar uuid, ids uuid[]) returns setof uuid
language sql volatile set search_path = pg_catalog, pg_temp as $$
    with lost as materialized (
        select d.event_id, exists (select from functions_private.events e where e.occurred_at = d.occurred_at
            and e.id = d.event_id) as has_event
        from functions_private.deliveries d where d.event_id = any (ids) and d.claimed_by = sidecar for update
    ), released as (
        update functions_private.deliveries d set claimed_by = null from lost l where d.event_id = l.event_id and l.has_event
    ), removed as (
        delete from functions_private.deliveries d using lost l where d.event_id = l.event_id and not l.has_event
        returning d.event_id, d.function, d.trigger_id
    ), failures as (
        insert into functions_private.results (event_id, function, status, error_code, error_message)
        select r.event_id, r.function, 'failed', 'EVENT_GONE',
            'The event was removed from functions_private.events before it was delivered.'
        from removed r where r.trigger_id is null
        on conflict (event_id) do nothing
    )
    select r.event_id from removed r
$$;
comment on function functions_private.release_lost(uuid, uuid[]) is
    'Releases deliveries assigned to a sidecar that does not know them; removes and returns those without an event.';
revoke all on function functions_private.release_lost(uuid, uuid[]) from public;
