-- functions_private.require_schedule(name) -> the schedule's row, locked; raises undefined_object when it does not exist
create or replace function functions_private.require_schedule(name text) returns functions_private.schedules
language plpgsql set search_path = pg_catalog, pg_temp as $$
declare
    found_row functions_private.schedules;
begin
    select s.* into found_row from functions_private.schedules s where s.name = require_schedule.name for update;
    if found_row.name is null then
        perform functions_private.raise_missing('schedule', name, array(select s.name from functions_private.schedules s));
    end if;
    return found_row;
end
$$;
comment on function functions_private.require_schedule(text) is
    'The schedule''s row, locked; raises undefined_object when it does not exist.';
revoke all on function functions_private.require_schedule(text) from public;
