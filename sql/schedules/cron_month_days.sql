-- functions_private.cron_month_days(field) -> the rules of the field "day of month", one of which must hold; each has its text for Cronos
--   {"days": [1, 15]}                    these days
--   {"last": 0, "weekday": false}        so many days before the last day of the month; weekday: the weekday nearest to it
--   {"nearest": 15}                      the weekday nearest to that day, in the same month
-- L, L-3, LW, L-3W, 15W, and pg_cron's $ for L. L-n is limited to 27, so that each month has the day.
create or replace function functions_private.cron_month_days(field text) returns jsonb
language plpgsql immutable set search_path = pg_catalog, pg_temp as $$
declare
    item text;
    parts text[];
    plain text[] := '{}';
    days integer[];
    rules jsonb := '[]';
begin
    foreach item in array string_to_array(upper(field), ',') loop
        if item ~ '^(L(-\d{1,2})?W?|\$)$' then
            parts := regexp_match(item, '^[L$](?:-(\d{1,2}))?(W?)$');
            if coalesce(parts[1]::integer, 0) > 27 then
                raise exception 'L-% is before the first day of a short month; 27 is the most', parts[1]
                    using errcode = 'invalid_parameter_value';
            end if;
            rules := rules || jsonb_build_object(
                'last', coalesce(parts[1]::integer, 0), 'weekday', parts[2] = 'W', 'text', replace(item, '$', 'L'));
        elsif item ~ '^\d{1,2}W$' then
            rules := rules || jsonb_build_object(
                'nearest', functions_private.cron_value(rtrim(item, 'W'), 'day of month', 1, 31, '{}'), 'text', item);
        else
            plain := plain || item;
        end if;
    end loop;
    if plain <> '{}' then
        days := functions_private.cron_values(array_to_string(plain, ','), 'day of month', 1, 31);
        rules := rules || jsonb_build_object(
            'days', days, 'text', case when cardinality(days) = 31 then '*' else array_to_string(days, ',') end);
    end if;
    return rules;
end
$$;
comment on function functions_private.cron_month_days(text) is 'The rules of the field "day of month" of a cron expression.';
revoke all on function functions_private.cron_month_days(text) from public;
