-- functions_private.close_schedule_runs() -> how many runs: ends the record of runs whose delivery ended without the sidecar that ran it:
-- its function was dropped, or the event was removed or discarded
create or replace function functions_private.close_schedule_runs() returns integer
language plpgsql set search_path = pg_catalog, pg_temp as $$
declare
    closed integer;
begin
    update functions_private.schedule_runs r
    set status = case when l.event_id is null then 'cancelled' else 'failed' end, finished_at = now(), error_code = l.error_code,
        error_message = l.error_message, reason = case when l.event_id is null then 'Its event was removed before it was delivered.' end
    from functions_private.schedule_runs o left join functions_private.dead_letters l on l.event_id = o.event_id
    where o.finished_at is null and r.schedule = o.schedule and r.scheduled_time = o.scheduled_time
      and not exists (select from functions_private.deliveries d where d.event_id = o.event_id)
      and not exists (select from functions_private.held_deliveries h where h.event_id = o.event_id);
    get diagnostics closed = row_count;
    return closed;
end
$$;
comment on function functions_private.close_schedule_runs() is
    'Ends the record of runs whose events are gone or dead letters; returns how many.';
revoke all on function functions_private.close_schedule_runs() from public;
