-- functions.unschedule(schedule): it does not run again. A run that has begun or waits ends as usual; the record of runs stays for its
-- retention.
create or replace function functions.unschedule(schedule text) returns void
language plpgsql set search_path = pg_catalog, functions, pg_temp as $$
begin
    perform functions_private.require_schedule(unschedule.schedule);
    delete from functions_private.schedules s where s.name = unschedule.schedule;
    perform pg_notify('functions_schedules', 'changed');
end
$$;
comment on function functions.unschedule(text) is 'Removes a schedule. A run that has begun or waits ends as usual.';
revoke all on function functions.unschedule(text) from public;
