-- functions_private.parse_cron(cron) -> the plan of a cron expression; raises an error that says what is wrong with it
-- Five fields (minute, hour, day of month, month, day of week), or six with seconds before them, or a macro (@daily), or pg_cron's
-- "30 seconds". If neither day field begins with * or ?, a day needs to meet one of them, as in Vixie cron; otherwise both.
--   seconds, minutes, hours, months   the values, ascending
--   keeps_interval  whether a time field is *, a range or a step: such schedules keep their interval when the clock is put back
--   days            rules, one of which must hold: {"month": ..., "week": ...} (cron_month_days, cron_week_days)
--   either          whether one of both day fields is enough
--   expressions     the same as six-field expressions for the sidecar, which fires at the times of any of them
create or replace function functions_private.parse_cron(cron text) returns jsonb
language plpgsql immutable set search_path = pg_catalog, pg_temp as $$
declare
    given text := btrim(cron, E' \t\n\r');
    fields text[];
    keeps_interval boolean;
    times text;
    seconds integer[];
    minutes integer[];
    hours integer[];
    months integer[];
    either boolean;
    month_rules jsonb;
    week_rules jsonb;
    days jsonb;
begin
    if coalesce(given, '') = '' then
        raise exception 'the cron expression is %', case when given is null then 'null' else 'empty' end
            using errcode = 'invalid_parameter_value', hint = 'For example: */15 * * * * (every quarter of an hour).';
    end if;
    if length(given) > 500 then
        raise exception 'the cron expression has % characters; 500 is the most', length(given) using errcode = 'invalid_parameter_value';
    end if;
    perform functions_private.refuse_other_dialects(given);
    given := case lower(given)
        when '@yearly' then '0 0 1 1 *' when '@annually' then '0 0 1 1 *' when '@monthly' then '0 0 1 * *' when '@weekly' then '0 0 * * 0'
        when '@daily' then '0 0 * * *' when '@midnight' then '0 0 * * *' when '@hourly' then '0 * * * *'
        when '@every_minute' then '* * * * *' when '@every_second' then '* * * * * *'
        else regexp_replace(given, '^(\d+)\s+seconds?$', '*/\1 * * * * *', 'i') end;
    if given like '@%' then
        raise exception 'there is no macro %', to_json(left(given, 40)) using errcode = 'invalid_parameter_value',
            hint = 'The macros are @yearly, @annually, @monthly, @weekly, @daily, @midnight, @hourly, @every_minute, @every_second.';
    end if;
    fields := regexp_split_to_array(given, '\s+');
    if cardinality(fields) not in (5, 6) then
        raise exception 'a cron expression has five fields, or six with seconds; % has %', to_json(left(given, 80)), cardinality(fields)
            using errcode = 'invalid_parameter_value',
            hint = 'minute hour day-of-month month day-of-week, for example: 0 3 * * * (every day at 3:00).';
    end if;
    if cardinality(fields) = 5 then
        fields := array_prepend('0', fields);
    end if;
    seconds := functions_private.cron_values(fields[1], 'second', 0, 59);
    minutes := functions_private.cron_values(fields[2], 'minute', 0, 59);
    hours := functions_private.cron_values(fields[3], 'hour', 0, 23);
    months := functions_private.cron_values(fields[5], 'month', 1, 12, '{JAN,FEB,MAR,APR,MAY,JUN,JUL,AUG,SEP,OCT,NOV,DEC}');
    month_rules := functions_private.cron_month_days(fields[4]);
    week_rules := functions_private.cron_week_days(fields[6]);
    keeps_interval := concat(fields[1], fields[2], fields[3]) ~ '[*?/-]';
    either := fields[4] !~ '^[*?]' and fields[6] !~ '^[*?]';
    if either then
        days := (select jsonb_agg(jsonb_build_object('month', m, 'week', null)) from jsonb_array_elements(month_rules) m)
            || (select jsonb_agg(jsonb_build_object('month', null, 'week', w)) from jsonb_array_elements(week_rules) w);
    else
        days := (select jsonb_agg(jsonb_build_object('month', m, 'week', w))
            from jsonb_array_elements(month_rules) m, jsonb_array_elements(week_rules) w);
    end if;
    if jsonb_array_length(days) > 16 then
        raise exception 'the cron expression combines % rules for days; 16 is the most', jsonb_array_length(days)
            using errcode = 'invalid_parameter_value', hint = 'Make two schedules of it.';
    end if;
    times := concat_ws(' ', functions_private.cron_text(seconds, 60, keeps_interval),
        functions_private.cron_text(minutes, 60, keeps_interval),
        functions_private.cron_text(hours, 24, keeps_interval));
    return jsonb_build_object('seconds', seconds, 'minutes', minutes, 'hours', hours, 'months', months, 'keeps_interval', keeps_interval,
        'days', days, 'either', either,
        'expressions', (select jsonb_agg(concat_ws(' ', times, coalesce(d -> 'month' ->> 'text', '*'),
            case when cardinality(months) = 12 then '*' else array_to_string(months, ',') end, coalesce(d -> 'week' ->> 'text', '*')))
            from jsonb_array_elements(days) d));
end
$$;
comment on function functions_private.parse_cron(text) is
    'The values and rules of a cron expression; raises an error that says what is wrong with it.';
revoke all on function functions_private.parse_cron(text) from public;
