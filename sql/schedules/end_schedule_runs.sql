-- functions_private.end_schedule_runs(sidecar, ids, tokens, statuses, codes, messages, began_ms, ended_ms, attempts_made) records how
-- attempts of schedules' runs ended: succeeded, failed, or pending when another attempt follows
-- Called before the deliveries are completed, in the same transaction. Deliveries that another sidecar has claimed since are left alone.
-- Without nested loops: the plan may have been made while the table was empty, and would then compare every delivery of the sidecar with
-- every outcome.
-- began_ms and ended_ms say how long ago the attempt began and ended, so that only the server's clock counts.
create or replace function functions_private.end_schedule_runs(
    sidecar uuid, ids uuid[], tokens integer[], statuses text[], codes text[], messages text[], began_ms double precision[],
    ended_ms double precision[], attempts_made integer[]) returns void
language plpgsql set search_path = pg_catalog, pg_temp set enable_nestloop = off as $$
declare
    moment timestamptz := clock_timestamp();
begin
    with ended as materialized (
        select g.*
        from unnest(ids, tokens, statuses, codes, messages, began_ms, ended_ms, attempts_made)
            g (id, token, status, code, message, began, ended, attempts)
        join functions_private.deliveries d
            on d.event_id = g.id and d.claims = g.token and d.claimed_by = sidecar and d.event_id = any (ids)
        for update of d
    ), runs as (
        update functions_private.schedule_runs r
        set status = e.status, error_code = e.code, error_message = e.message, attempts = e.attempts,
            started_at = coalesce(r.started_at, moment - e.began * interval '1 millisecond'),
            finished_at = case when e.status <> 'pending' then moment - e.ended * interval '1 millisecond' end
        from ended e where r.event_id = e.id and r.event_id = any (ids)
        returning r.*
    ), final as (
        select distinct on (r.schedule) r.schedule, r.scheduled_time, r.status, r.started_at, r.due_at, r.finished_at,
            count(*) filter (where r.status = 'failed') over (partition by r.schedule)::integer as failures,
            max(r.finished_at) filter (where r.status = 'succeeded') over (partition by r.schedule) as succeeded_at
        from runs r where r.status <> 'pending' order by r.schedule, r.finished_at desc
    )
    insert into functions_private.schedule_states as s (schedule, last_time, last_status, last_lateness_ms, last_success_at,
        consecutive_failures)
    select f.schedule, f.scheduled_time, f.status, extract(epoch from f.started_at - f.due_at) * 1000, f.succeeded_at,
        case when f.status = 'failed' then f.failures else 0 end
    from final f order by f.schedule -- two sidecars lock the rows in the same order
    on conflict (schedule) do update set last_time = excluded.last_time, last_status = excluded.last_status,
        last_lateness_ms = excluded.last_lateness_ms, last_success_at = coalesce(excluded.last_success_at, s.last_success_at),
        consecutive_failures = case when excluded.last_success_at is not null or excluded.last_status <> 'failed'
            then excluded.consecutive_failures
            else s.consecutive_failures + excluded.consecutive_failures end;
end
$$;
comment on function functions_private.end_schedule_runs(uuid, uuid[], integer[], text[], text[], text[], double precision[],
    double precision[], integer[]) is
    'Records how attempts of schedules'' runs ended.';
revoke all on function functions_private.end_schedule_runs(uuid, uuid[], integer[], text[], text[], text[], double precision[],
    double precision[], integer[]) from public;
