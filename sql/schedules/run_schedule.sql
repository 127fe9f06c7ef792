-- functions.run_schedule(schedule) -> the event's id. Runs it now, after this transaction has committed, also while it is disabled; its
-- next time stays. The overlap option holds: with skip, raises object_in_use while the previous run has not ended; with queue, it waits;
-- with cancel, the previous run is cancelled.
create or replace function functions.run_schedule(schedule text) returns uuid
language plpgsql set search_path = pg_catalog, functions, pg_temp as $$
declare
    definition functions_private.schedules := functions_private.require_schedule(run_schedule.schedule);
    moment timestamptz := clock_timestamp();
    recorded functions_private.schedule_runs;
begin
    perform functions_private.record_runs(array[definition.name], array[moment], array['manual'], array[1]);
    select r.* into recorded from functions_private.schedule_runs r where r.schedule = definition.name and r.scheduled_time = moment;
    if recorded.event_id is null then
        raise exception 'Schedule % does not run now: %', definition.name, recorded.reason using errcode = 'object_in_use',
            hint = format('select * from functions.schedule_runs where schedule = %L and status in (''pending'', ''running'');', definition.name);
    end if;
    return recorded.event_id;
end
$$;
comment on function functions.run_schedule(text) is 'Runs a schedule now, after the commit; returns the event id. Its next time stays.';
revoke all on function functions.run_schedule(text) from public;
