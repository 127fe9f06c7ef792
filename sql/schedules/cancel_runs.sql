-- functions_private.cancel_runs(schedules) -> how many runs: cancels the runs of these schedules that have not ended
-- Their deliveries are removed, so that what the sidecar reports of them is not recorded; a notification has it stop the function. A run
-- whose end is being recorded at this moment is left alone.
create or replace function functions_private.cancel_runs(schedules text[]) returns integer
language plpgsql set search_path = pg_catalog, pg_temp as $$
declare
    cancelled uuid[];
begin
    with ending as (
        delete from functions_private.deliveries d
        where d.event_id = any (array(
            select w.event_id from functions_private.schedule_runs r join functions_private.deliveries w on w.event_id = r.event_id
            where r.schedule = any (cancel_runs.schedules) and r.finished_at is null for update of w skip locked))
        returning d.event_id
    ), recorded as (
        update functions_private.schedule_runs r
        set status = 'cancelled', reason = 'The next run began before this one had ended (overlap: cancel).', finished_at = clock_timestamp()
        from ending e where r.event_id = e.event_id
        returning r.event_id
    )
    select array_agg(r.event_id) into cancelled from recorded r;
    perform pg_notify('functions_schedules', 'cancel ' || c) from unnest(cancelled) c;
    return coalesce(cardinality(cancelled), 0);
end
$$;
comment on function functions_private.cancel_runs(text[]) is 'Cancels the runs of schedules that have not ended; returns how many.';
revoke all on function functions_private.cancel_runs(text[]) from public;
