-- functions_private.schedule_definition(name, function, cron, options) -> the row that options, which are valid by themselves, describe
-- Raises where they contradict each other, and where nothing says which role the function runs as.
create or replace function functions_private.schedule_definition(name text, function text, cron text, options jsonb)
returns functions_private.schedules
language plpgsql stable set search_path = pg_catalog, pg_temp as $$
declare
    wanted functions_private.schedules;
begin
    wanted.name := schedule_definition.name;
    wanted.function := schedule_definition.function;
    wanted.cron := schedule_definition.cron;
    wanted.run_at := functions_private.schedule_time('run_at', options -> 'run_at');
    wanted.time_zone := coalesce(options ->> 'time_zone', 'UTC');
    wanted.payload := nullif(options -> 'payload', 'null');
    wanted.role := options ->> 'role';
    -- What runs once is not to be lost in a restart.
    wanted.catch_up := coalesce(options ->> 'catch_up', case when wanted.run_at is null then 'none' else 'last' end);
    wanted.catch_up_window_seconds := coalesce((options ->> 'catch_up_window_seconds')::integer,
        case wanted.catch_up when 'none' then 60 else 86400 end);
    wanted.overlap := coalesce(options ->> 'overlap', case wanted.catch_up when 'all' then 'queue' else 'skip' end);
    wanted.jitter_seconds := coalesce((options ->> 'jitter_seconds')::integer, 0);
    wanted.jitter := mod(hashtextextended(wanted.name, 0) & 9223372036854775807,
        wanted.jitter_seconds * 1000 + 1) * interval '1 millisecond';
    wanted.retries := (options ->> 'retries')::smallint;
    wanted.timeout_ms := (options ->> 'timeout_ms')::integer;
    wanted.starts_at := functions_private.schedule_time('starts_at', options -> 'starts_at');
    wanted.ends_at := functions_private.schedule_time('ends_at', options -> 'ends_at');
    if num_nonnulls(wanted.cron, wanted.run_at) <> 1 then
        raise exception 'a schedule has either a cron expression or the option run_at' using errcode = 'invalid_parameter_value',
            hint = case when wanted.cron is null then 'For example: ''0 3 * * *'' (every day at 3:00).'
                else 'To run once, give null for cron.' end;
    elsif wanted.ends_at < wanted.starts_at then
        raise exception 'option ends_at is before starts_at' using errcode = 'invalid_parameter_value';
    elsif wanted.catch_up = 'all' and wanted.overlap <> 'queue' then
        raise exception 'option catch_up "all" needs overlap "queue", not "%": with others, the runs that it catches up would replace each other', wanted.overlap
            using errcode = 'invalid_parameter_value';
    elsif wanted.role is null and not exists (
        select from functions_private.functions f join functions_private.versions v on v.function = f.name
        where f.name = wanted.function
          and v.version = coalesce(f.active_version, (select max(n.version) from functions_private.versions n where n.function = f.name))
          and v.options ->> 'role' is not null)
    then
        raise exception 'nothing says which role % runs as', wanted.function using errcode = 'invalid_parameter_value',
            hint = format('Give the option role, for example {"role": "service_role"}. The roles are: %s.',
                (select string_agg(r.role, ', ' order by r.role) from functions_private.roles r));
    end if;
    return wanted;
end
$$;
comment on function functions_private.schedule_definition(text, text, text, jsonb) is
    'The row of a schedule that options describe; raises where they contradict each other.';
revoke all on function functions_private.schedule_definition(text, text, text, jsonb) from public;
