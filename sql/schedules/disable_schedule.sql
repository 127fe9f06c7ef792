-- functions.disable_schedule(schedule): it does not run until functions.enable_schedule. A run that has begun or waits ends as usual.
create or replace function functions.disable_schedule(schedule text) returns void
language plpgsql set search_path = pg_catalog, functions, pg_temp as $$
begin
    perform functions_private.require_schedule(disable_schedule.schedule);
    update functions_private.schedules s set enabled = false, version = s.version + 1, updated_at = now()
    where s.name = disable_schedule.schedule and s.enabled;
    perform pg_notify('functions_schedules', 'changed');
end
$$;
comment on function functions.disable_schedule(text) is 'Disables a schedule: it does not run until it is enabled.';
revoke all on function functions.disable_schedule(text) from public;
