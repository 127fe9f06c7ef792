-- functions.next_runs(cron, time_zone, n, after) -> the next n (1 to 1000) times of a cron expression after a moment
-- Raises what functions.schedule would raise. A schedule's jitter is not included.
create or replace function functions.next_runs(cron text, time_zone text default 'UTC', n integer default 5,
    after timestamptz default now())
returns setof timestamptz
language plpgsql stable set search_path = pg_catalog, functions, pg_temp as $$
declare
    plan jsonb := functions_private.parse_cron(cron);
    moment timestamptz := after;
begin
    perform functions_private.validate_time_zone(time_zone);
    if n is null or n not between 1 and 1000 then
        raise exception 'n must be from 1 to 1000, not %', coalesce(n::text, 'null') using errcode = 'invalid_parameter_value';
    end if;
    if after is null or not isfinite(after) then
        raise exception 'after is no moment: %', coalesce(after::text, 'null') using errcode = 'invalid_parameter_value';
    end if;
    for i in 1 .. n loop
        moment := functions_private.next_run(plan, time_zone, moment);
        if moment is null then
            raise exception 'the cron expression % never fires: no such day exists', to_json(cron)
                using errcode = 'invalid_parameter_value';
        end if;
        return next moment;
    end loop;
end
$$;
comment on function functions.next_runs(text, text, integer, timestamptz) is
    'The next times of a cron expression in a time zone. See docs/schedules.md for the notation.';
revoke all on function functions.next_runs(text, text, integer, timestamptz) from public;
