-- functions_private.next_local_time(plan, start) -> the first time of a plan at or after "start", in local time; null when there is none
-- within 41 years. After 40 years at the latest every date has fallen on every weekday, so there will be none at all.
create or replace function functions_private.next_local_time(plan jsonb, start timestamp) returns timestamp
language plpgsql immutable set search_path = pg_catalog, pg_temp as $$
declare
    seconds integer[] := array(select v::integer from jsonb_array_elements_text(plan -> 'seconds') v);
    minutes integer[] := array(select v::integer from jsonb_array_elements_text(plan -> 'minutes') v);
    hours integer[] := array(select v::integer from jsonb_array_elements_text(plan -> 'hours') v);
    month timestamp;
    day integer;
    h integer;
    m integer;
    s integer;
    first_time interval := make_interval(hours => hours[1], mins => minutes[1], secs => seconds[1]);
begin
    for ahead in 0 .. 41 * 12 loop
        month := date_trunc('month', start) + make_interval(months => ahead);
        continue when not plan -> 'months' @> to_jsonb(extract(month from month)::integer);
        foreach day in array functions_private.matching_days(plan -> 'days', month::date) loop
            if month + make_interval(days => day - 1) > start then
                return month + make_interval(days => day - 1) + first_time;
            elsif month + make_interval(days => day) > start then -- the day of the start itself
                foreach h in array hours loop
                    continue when h < extract(hour from start);
                    foreach m in array minutes loop
                        continue when h = extract(hour from start) and m < extract(minute from start);
                        foreach s in array seconds loop
                            if month + make_interval(days => day - 1, hours => h, mins => m, secs => s) >= start then
                                return month + make_interval(days => day - 1, hours => h, mins => m, secs => s);
                            end if;
                        end loop;
                    end loop;
                end loop;
            end if;
        end loop;
    end loop;
    return null;
end
$$;
comment on function functions_private.next_local_time(jsonb, timestamp) is
    'The first time of a cron plan at or after a local time; null when there will be none.';
revoke all on function functions_private.next_local_time(jsonb, timestamp) from public;
