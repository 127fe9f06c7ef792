-- functions_private.next_run(plan, time_zone, after) -> the first time of a plan after a moment; null when there is none
-- Where the clocks are put forward, a time that does not exist is the moment of the change. Where they are put back, a time that exists
-- twice is the first of both; plans that keep their interval have both. The sidecar computes the same (Core/Schedules/CronSchedule.cs).
create or replace function functions_private.next_run(plan jsonb, time_zone text, after timestamptz) returns timestamptz
language plpgsql stable set search_path = pg_catalog, pg_temp as $$
declare
    moment timestamptz := date_trunc('second', after, 'UTC');
    start timestamp := (moment at time zone time_zone) + interval '1 second';
    change timestamptz;
    before interval;
    since interval;
    found_time timestamp;
    repeated_until timestamp;
begin
    if time_zone = 'UTC' then
        return functions_private.next_local_time(plan, start) at time zone 'UTC';
    end if;
    -- Is the moment in an hour that happens twice?
    change := functions_private.clock_change(time_zone, moment - interval '4 hours', moment + interval '4 hours');
    if change is not null then
        before := functions_private.clock_offset(time_zone, change - interval '1 second');
        since := functions_private.clock_offset(time_zone, change);
        repeated_until := (change at time zone 'UTC') + before;
        if since < before and moment >= change - (before - since) and moment < change + (before - since) then
            if moment < change then -- the first time through
                found_time := functions_private.next_local_time(plan, start);
                if found_time < repeated_until then
                    return (found_time - before) at time zone 'UTC';
                end if;
                start := (change at time zone 'UTC') + since;
            end if;
            if (plan ->> 'keeps_interval')::boolean then
                found_time := functions_private.next_local_time(plan, start);
                if found_time < repeated_until then
                    return (found_time - since) at time zone 'UTC';
                end if;
            end if;
            start := repeated_until;
        end if;
    end if;

    found_time := functions_private.next_local_time(plan, start);
    change := functions_private.clock_change(time_zone, (found_time - interval '26 hours') at time zone 'UTC',
        (found_time + interval '26 hours') at time zone 'UTC');
    if change is null then
        return (found_time - functions_private.clock_offset(time_zone, found_time at time zone 'UTC')) at time zone 'UTC';
    end if;
    before := functions_private.clock_offset(time_zone, change - interval '1 second');
    since := functions_private.clock_offset(time_zone, change);
    return case
        when (found_time - before) at time zone 'UTC' < change then (found_time - before) at time zone 'UTC'
        when (found_time - since) at time zone 'UTC' >= change then (found_time - since) at time zone 'UTC'
        else change end;
end
$$;
comment on function functions_private.next_run(jsonb, text, timestamptz) is
    'The first time of a cron plan after a moment, in a time zone; null when there is none.';
revoke all on function functions_private.next_run(jsonb, text, timestamptz) from public;
