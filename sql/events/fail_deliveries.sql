-- functions_private.fail_deliveries(sidecar, ids, claims, codes, messages, delays_ms, attempts) records failed deliveries
-- Each is delivered again after its delay; a null delay makes it a dead letter. "attempts" is the new count of failed attempts. Deliveries
-- that another sidecar has claimed since are left alone. Without nested loops: the plan may have been made while the table was empty, and
-- would then compare every delivery of the sidecar with every failure.
create or replace function functions_private.fail_deliveries(
    sidecar uuid, ids uuid[], tokens integer[], codes text[], messages text[], delays_ms bigint[], attempts_made integer[]) returns void
language sql volatile set search_path = pg_catalog, pg_temp set enable_nestloop = off as $$
    with failed as materialized (
        select * from unnest(ids, tokens, codes, messages, delays_ms, attempts_made) f (id, token, code, message, delay_ms, attempts)
    ), retried as (
        update functions_private.deliveries d
        set claimed_by = null, attempts = f.attempts, last_error = f.message, run_at = now() + f.delay_ms * interval '1 millisecond'
        from failed f
        where d.event_id = any (ids) and d.event_id = f.id and d.claimed_by = sidecar and d.claims = f.token and f.delay_ms is not null
    ), dead as (
        delete from functions_private.deliveries d using failed f
        where d.event_id = any (ids) and d.event_id = f.id and d.claimed_by = sidecar and d.claims = f.token and f.delay_ms is null
        returning d.event_id, d.occurred_at, d.trigger_id, f.code, f.message, f.attempts
    ), letters as materialized (
        select e.*, d.trigger_id, d.code, d.message, d.attempts from dead d cross join lateral (
            select * from functions_private.events e where e.occurred_at = d.occurred_at and e.id = d.event_id offset 0) e
    ), failures as (
        insert into functions_private.results as r (event_id, function, status, error_code, error_message)
        select l.id, l.function, 'failed', l.code, l.message from letters l where l.kind = 'invoke'
        on conflict (event_id) do update -- it was redriven
            set error_code = excluded.error_code, error_message = excluded.error_message, finished_at = excluded.finished_at
            where r.status <> 'succeeded'
    )
    insert into functions_private.dead_letters (event_id, occurred_at, kind, function, trigger, trigger_id, payload, caller, depth,
        attempts, error_code, error_message)
    select l.id, l.occurred_at, l.kind, l.function, l.trigger, l.trigger_id, l.payload, l.caller, l.depth, l.attempts, l.code, l.message
        from letters l
    on conflict (event_id) do nothing
$$;
comment on function functions_private.fail_deliveries(uuid, uuid[], integer[], text[], text[], bigint[], integer[]) is
    'Records failed deliveries: schedules the next attempt, or makes a dead letter where the delay is null.';
revoke all on function functions_private.fail_deliveries(uuid, uuid[], integer[], text[], text[], bigint[], integer[]) from public;
