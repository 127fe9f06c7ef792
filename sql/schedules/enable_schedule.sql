-- functions.enable_schedule(schedule) -> when it runs next. Times that passed while it was disabled are not caught up.
create or replace function functions.enable_schedule(schedule text) returns timestamptz
language plpgsql set search_path = pg_catalog, functions, pg_temp as $$
declare
    definition functions_private.schedules := functions_private.require_schedule(enable_schedule.schedule);
begin
    if not definition.enabled then
        definition.next_time := (functions_private.upcoming_times(definition,
            case when definition.cron is not null then functions_private.parse_cron(definition.cron) end, 1))[1];
        update functions_private.schedules s
        set enabled = true, next_time = definition.next_time, next_run_at = definition.next_time + s.jitter, version = s.version + 1,
            updated_at = now()
        where s.name = definition.name;
        perform pg_notify('functions_schedules', 'changed');
    end if;
    return definition.next_time + definition.jitter;
end
$$;
comment on function functions.enable_schedule(text) is
    'Enables a schedule; returns when it runs next. Times that passed meanwhile are not caught up.';
revoke all on function functions.enable_schedule(text) from public;
