-- functions_private.cron_week_days(field) -> the rules of the field "day of week", one of which must hold; each has its text for Cronos
--   {"days": [1, 2]}           these weekdays; Sunday is 0
--   {"day": 5, "last": true}   the last one of the month: 5L
--   {"day": 5, "nth": 2}       the second one of the month: 5#2
create or replace function functions_private.cron_week_days(field text) returns jsonb
language plpgsql immutable set search_path = pg_catalog, pg_temp as $$
declare
    names constant text[] := '{SUN,MON,TUE,WED,THU,FRI,SAT}';
    item text;
    parts text[];
    day integer;
    plain text[] := '{}';
    days integer[];
    rules jsonb := '[]';
begin
    foreach item in array string_to_array(upper(field), ',') loop
        parts := regexp_match(item, '^(\d|[A-Z]{3})(?:(L)|#(\d))$');
        if parts is null then
            plain := plain || item;
            continue;
        end if;
        day := functions_private.cron_value(parts[1], 'day of week', 0, 7, names) % 7;
        if parts[2] is not null then
            rules := rules || jsonb_build_object('day', day, 'last', true, 'text', day || 'L');
        elsif parts[3]::integer between 1 and 5 then
            rules := rules || jsonb_build_object('day', day, 'nth', parts[3]::integer, 'text', day || '#' || parts[3]);
        else
            raise exception '% is no day: a month has at most five of each weekday, #1 to #5', to_json(item)
                using errcode = 'invalid_parameter_value';
        end if;
    end loop;
    if plain <> '{}' then
        days := functions_private.cron_values(array_to_string(plain, ','), 'day of week', 0, 7, names);
        rules := rules || jsonb_build_object(
            'days', days, 'text', case when cardinality(days) = 7 then '*' else array_to_string(days, ',') end);
    end if;
    return rules;
end
$$;
comment on function functions_private.cron_week_days(text) is 'The rules of the field "day of week" of a cron expression.';
revoke all on function functions_private.cron_week_days(text) from public;
