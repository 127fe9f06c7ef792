-- functions_private.upcoming_times(definition, plan, n) -> the next n times of a schedule, without its jitter; fewer when it ends before
create or replace function functions_private.upcoming_times(definition functions_private.schedules, plan jsonb, n integer)
returns timestamptz[]
language plpgsql stable set search_path = pg_catalog, pg_temp as $$
declare
    moment timestamptz := greatest(clock_timestamp(), definition.starts_at - interval '1 microsecond');
    times timestamptz[] := '{}';
begin
    if definition.run_at is not null then
        return case when definition.run_at > clock_timestamp() - interval '1 minute'
            and (definition.run_at >= definition.starts_at) is not false and (definition.run_at <= definition.ends_at) is not false
            then array[definition.run_at] else '{}' end;
    end if;
    for i in 1 .. n loop
        moment := functions_private.next_run(plan, definition.time_zone, moment);
        exit when moment is null or moment > definition.ends_at;
        times := times || moment;
    end loop;
    return times;
end
$$;
comment on function functions_private.upcoming_times(functions_private.schedules, jsonb, integer)
    is 'The next times of a schedule, without its jitter.';
revoke all on function functions_private.upcoming_times(functions_private.schedules, jsonb, integer) from public;
