-- functions_private.claim_events(sidecar, functions, limits) -> deliveries that are now assigned to the sidecar, with their events
-- In PL/pgSQL, because that keeps plans as long as the session: planning takes five times as long as claiming.
-- For each function: at most its limit, oldest first; for each order key only the first remaining delivery; nothing whose transaction is
-- not visible yet. "claims" is the fencing token: a delivery that another sidecar has claimed since can't be completed with the old value.
create or replace function functions_private.claim_events(sidecar uuid, functions text[], limits integer[])
returns table (event_id uuid, occurred_at timestamptz, function text, trigger_id integer, attempts smallint, claims integer,
               kind text, trigger text, payload json, caller json, depth smallint,
               retries smallint, timeout_ms integer, is_ordered boolean)
language plpgsql set search_path = pg_catalog, pg_temp as $$
#variable_conflict use_column
begin
    return query
    with wanted as materialized (
        select w.name, w.n from unnest(claim_events.functions, claim_events.limits) w (name, n)
    ), unordered as materialized (
        select d.event_id from wanted w cross join lateral (
            select d.event_id from functions_private.deliveries d
            where d.function = w.name and d.order_key is null and d.claimed_by is null and d.run_at <= now()
              and (d.xid is null or pg_visible_in_snapshot(d.xid, pg_current_snapshot()))
            order by d.run_at, d.event_id limit w.n for update skip locked) d
    ), ordered as materialized (
        select d.event_id from wanted w cross join lateral (
            select d.event_id from functions_private.deliveries d
            where d.event_id = any (array(select h from functions_private.next_in_order(w.name, w.n) h)) and d.claimed_by is null
            for update skip locked) d
    ), claimed as (
        -- An array here and laterals below make the planner look up few rows by key, whatever size it estimates for the backlog.
        update functions_private.deliveries d set claimed_by = claim_events.sidecar, claims = d.claims + 1
        where d.event_id = any (array(select u.event_id from unordered u union all select o.event_id from ordered o))
        returning d.event_id, d.occurred_at, d.function, d.trigger_id, d.attempts, d.claims, d.order_key
    )
    select c.event_id, c.occurred_at, c.function, c.trigger_id, c.attempts, c.claims, e.kind, e.trigger, e.payload, e.caller, e.depth,
           e.retries, e.timeout_ms, c.order_key is not null
    from claimed c cross join lateral (
        select * from functions_private.events e where e.occurred_at = c.occurred_at and e.id = c.event_id offset 0) e
    order by c.event_id;
end
$$;
comment on function functions_private.claim_events(uuid, text[], integer[]) is
    'Assigns due deliveries to a sidecar, up to a limit for each function; returns them with their events.';
revoke all on function functions_private.claim_events(uuid, text[], integer[]) from public;
