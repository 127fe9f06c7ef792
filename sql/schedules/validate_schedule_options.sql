-- functions_private.validate_schedule_options(options) raises an error that names the first invalid option and its valid values.
create or replace function functions_private.validate_schedule_options(options jsonb) returns void
language plpgsql stable set search_path = pg_catalog, pg_temp as $$
declare
    moment text;
begin
    perform functions_private.check_options(options,
        '{
            "time_zone": "text", "payload": "other", "role": "role", "catch_up": ["none", "last", "all"],
            "catch_up_window_seconds": [1, 31622400], "overlap": ["skip", "queue", "cancel"], "jitter_seconds": [0, 86400],
            "retries": [0, 100], "timeout_ms": [1000, 300000], "starts_at": "other", "ends_at": "other", "run_at": "other"
        }',
        '{"time_zone": "Europe/Berlin"}',
        '{
            "time_zone": ["tz", "zone"], "run_at": ["at", "once"], "overlap": ["concurrency", "concurrencypolicy"],
            "catch_up": ["backfill"], "payload": ["body", "data", "input"], "jitter_seconds": ["jitter"], "timeout_ms": ["timeout"],
            "starts_at": ["start", "from"], "ends_at": ["end", "until"]
        }');
    if jsonb_typeof(options -> 'time_zone') <> 'null' then
        perform functions_private.validate_time_zone(options ->> 'time_zone');
    end if;
    foreach moment in array array['starts_at', 'ends_at', 'run_at'] loop
        if jsonb_typeof(options -> moment) <> 'null' then
            perform functions_private.schedule_time(moment, options -> moment);
        end if;
    end loop;
    if octet_length((options -> 'payload')::text) > 1024 * 1024 then
        raise exception 'option payload has % bytes; 1 MiB is the most', octet_length((options -> 'payload')::text)
            using errcode = 'program_limit_exceeded';
    end if;
end
$$;
comment on function functions_private.validate_schedule_options(jsonb) is
    'Raises an error that names the first unknown or invalid option of a schedule.';
revoke all on function functions_private.validate_schedule_options(jsonb) from public;
