-- functions_private.matching_days(rules, month) -> the days of a month that meet one of a plan's rules, ascending. "month" is its first
-- day.
create or replace function functions_private.matching_days(rules jsonb, month date) returns integer[]
language plpgsql immutable set search_path = pg_catalog, pg_temp as $$
declare
    last integer := extract(day from month + interval '1 month' - interval '1 day');
    first_weekday integer := extract(dow from month);
    rule jsonb;
    kept integer[];
    target integer;
    collected integer[] := '{}';
begin
    for rule in select r from jsonb_array_elements(rules) r loop
        if rule -> 'month' -> 'days' is not null then
            kept := array(select d::integer from jsonb_array_elements_text(rule -> 'month' -> 'days') d where d::integer <= last);
        elsif jsonb_typeof(rule -> 'month') = 'object' then
            target := coalesce((rule -> 'month' ->> 'nearest')::integer, last - (rule -> 'month' ->> 'last')::integer);
            if rule -> 'month' ? 'nearest' or (rule -> 'month' ->> 'weekday')::boolean then
                -- Saturday: the day before, or on the 1st the Monday after; Sunday: the day after, or on the last day the Friday before.
                target := case when target > last then null else target + case (first_weekday + target - 1) % 7
                    when 6 then case when target = 1 then 2 else -1 end
                    when 0 then case when target = last then -2 else 1 end else 0 end end;
            end if;
            kept := array_remove(array[target], null);
        else
            kept := array(select generate_series(1, last));
        end if;
        if rule -> 'week' -> 'days' is not null then
            kept := array(select k from unnest(kept) k
                where rule -> 'week' -> 'days' @> to_jsonb((first_weekday + k - 1) % 7));
        elsif jsonb_typeof(rule -> 'week') = 'object' then
            kept := array(select k from unnest(kept) k where (first_weekday + k - 1) % 7 = (rule -> 'week' ->> 'day')::integer
                and case when rule -> 'week' ? 'last' then k > last - 7 else (k + 6) / 7 = (rule -> 'week' ->> 'nth')::integer end);
        end if;
        collected := collected || kept;
    end loop;
    return array(select distinct c from unnest(collected) c order by c);
end
$$;
comment on function functions_private.matching_days(jsonb, date) is 'The days of a month that meet one of a cron plan''s rules.';
revoke all on function functions_private.matching_days(jsonb, date) from public;
