-- functions.schedule(schedule, function, cron, options) -> when it runs next
-- Runs a function at the times of a cron expression from this transaction's commit on. Called again for an existing schedule, it changes it
-- (options that are not given return to their defaults); a disabled schedule stays disabled. Prints the next five times as a notice.
--   cron       five fields, six with seconds, or a macro; null with the option run_at
--   run_at     once, at this time
--   time_zone  of the IANA database (UTC)
--   role       the role that the function runs as; needed unless the function's own options name one
--   payload    the event's member payload
--   overlap    what happens at a time at which the previous run has not ended: skip it; queue: run it afterwards; cancel the previous run
--   catch_up   of several times that passed while no sidecar was there: none (the newest, if it is at most
--              60 s ago), last (the newest), all
--   catch_up_window_seconds  how long ago they may be (60 for none, else 86400); older ones are missed
--   jitter_seconds 0-86400 (0)  delays each run by a time that depends on the schedule's name, so that schedules do not start at once
--   retries 0-100 and timeout_ms 1000-300000 (the function's), starts_at and ends_at: no runs before and after
create or replace function functions.schedule(schedule text, function text, cron text default null, options jsonb default '{}')
returns timestamptz
language plpgsql set search_path = pg_catalog, functions, pg_temp as $$
declare
    plan jsonb;
    wanted functions_private.schedules;
    former functions_private.schedules;
    upcoming timestamptz[];
begin
    if schedule is null or schedule !~ '^[a-z][a-z0-9_-]{0,63}$' then
        raise exception '% is not a schedule name', coalesce(to_json(left(schedule, 80))::text, 'null') using errcode = 'invalid_name',
            hint = 'A name starts with a letter, has lower-case letters, digits, _ and -, and at most 64 of them.';
    end if;
    perform functions_private.require_function(schedule.function);
    perform functions_private.validate_schedule_options(options);
    wanted := functions_private.schedule_definition(schedule, schedule.function, cron, options);
    plan := case when cron is not null then functions_private.parse_cron(cron) end;
    wanted.expressions := array(select e from jsonb_array_elements_text(plan -> 'expressions') e);
    wanted.keeps_interval := coalesce((plan ->> 'keeps_interval')::boolean, false);

    select s.* into former from functions_private.schedules s where s.name = schedule for update;
    upcoming := functions_private.upcoming_times(wanted, plan, 5);
    if former.name is not null and (former.cron, former.run_at, former.time_zone, former.starts_at, former.ends_at)
        is not distinct from (wanted.cron, wanted.run_at, wanted.time_zone, wanted.starts_at, wanted.ends_at)
    then
        wanted.next_time := former.next_time; -- it may be due at this moment, or over
    else
        wanted.next_time := upcoming[1];
        if wanted.next_time is null then
            raise exception 'schedule % never runs: %', schedule, case
                when wanted.cron is not null and wanted.ends_at is null then 'no such day exists'
                when wanted.cron is not null then 'it has no time before ends_at'
                when wanted.run_at < now() then 'run_at is in the past'
                else 'run_at is not between starts_at and ends_at' end using errcode = 'invalid_parameter_value';
        end if;
    end if;

    insert into functions_private.schedules as s (name, function, cron, expressions, keeps_interval, run_at, time_zone, payload, role,
        catch_up, catch_up_window_seconds, overlap, jitter_seconds, jitter, retries, timeout_ms, starts_at, ends_at, next_time, next_run_at)
    values (wanted.name, wanted.function, wanted.cron, wanted.expressions, wanted.keeps_interval, wanted.run_at, wanted.time_zone,
        wanted.payload, wanted.role, wanted.catch_up, wanted.catch_up_window_seconds, wanted.overlap, wanted.jitter_seconds, wanted.jitter,
        wanted.retries, wanted.timeout_ms, wanted.starts_at, wanted.ends_at, wanted.next_time, wanted.next_time + wanted.jitter)
    on conflict (name) do update set function = excluded.function, cron = excluded.cron, expressions = excluded.expressions,
        keeps_interval = excluded.keeps_interval, run_at = excluded.run_at, time_zone = excluded.time_zone, payload = excluded.payload,
        role = excluded.role, catch_up = excluded.catch_up, catch_up_window_seconds = excluded.catch_up_window_seconds,
        overlap = excluded.overlap, jitter_seconds = excluded.jitter_seconds, jitter = excluded.jitter, retries = excluded.retries,
        timeout_ms = excluded.timeout_ms, starts_at = excluded.starts_at, ends_at = excluded.ends_at, next_time = excluded.next_time,
        next_run_at = excluded.next_run_at, version = s.version + 1, updated_at = now();
    perform pg_notify('functions_schedules', 'changed');
    if upcoming <> '{}' then
        raise notice 'Schedule % runs next: % (%)%', schedule,
            (select string_agg(to_char(u at time zone wanted.time_zone, 'Dy YYYY-MM-DD HH24:MI:SS'), ', ' order by u)
                from unnest(upcoming) u), wanted.time_zone,
            concat(case when (plan ->> 'either')::boolean then ', on days that match the day of month or the day of week' end,
                case when wanted.jitter > '0'
                    then ', ' || round(extract(epoch from wanted.jitter), 3) || ' s later each (jitter_seconds)' end);
    end if;
    return wanted.next_time + wanted.jitter;
end
$$;
comment on function functions.schedule(text, text, text, jsonb) is
    'Runs a function at the times of a cron expression; changes an existing schedule. Returns the next time. Options: see docs/schedules.md.';
revoke all on function functions.schedule(text, text, text, jsonb) from public;
