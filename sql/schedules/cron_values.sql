-- functions_private.cron_values(field, what, lowest, highest, names) -> the values of one field of a cron expression, ascending
-- A field is a list of *, a value, a range (also a reversed one: 22-2), each with an optional step. "names" are the names of the values
-- from "lowest" on. 7 is Sunday, like 0, in the field of weekdays, whose highest value is 7.
create or replace function functions_private.cron_values(field text, what text, lowest integer, highest integer, names text[] default '{}')
returns integer[]
language plpgsql immutable set search_path = pg_catalog, pg_temp as $$
declare
    weekdays boolean := highest = 7;
    size integer := highest - lowest + case when weekdays then 0 else 1 end;
    item text;
    parts text[];
    low integer;
    high integer;
    step integer;
    collected integer[] := '{}';
begin
    foreach item in array string_to_array(field, ',') loop
        parts := regexp_match(item, '^(?:([*?])|(\d{1,2}|[A-Za-z]{3})(?:-(\d{1,2}|[A-Za-z]{3}))?)(?:/(\d{1,2}))?$');
        if parts is null then
            raise exception 'the field % of a cron expression can''t be %', what, to_json(left(item, 40))
                using errcode = 'invalid_parameter_value',
                hint = format('It is a list of *, values from %s to %s, ranges such as %s-%s, and steps such as */2.', lowest, highest, lowest, lowest + 2);
        end if;
        if parts[1] is not null then
            low := lowest;
            high := highest;
        else
            low := functions_private.cron_value(parts[2], what, lowest, highest, names);
            high := case when parts[3] is not null then functions_private.cron_value(parts[3], what, lowest, highest, names)
                when parts[4] is not null then highest else low end;
        end if;
        step := coalesce(parts[4]::integer, 1);
        if step not between 1 and highest then
            raise exception 'the step % of the field % of a cron expression must be from 1 to %', step, what, highest
                using errcode = 'invalid_parameter_value';
        end if;
        if high < low then -- past the end, and on from the beginning
            low := case when weekdays then low % 7 else low end;
            high := case when high < low then high + size else high end;
            collected := collected || array(select lowest + (v - lowest) % size from generate_series(low, high, step) v);
        else
            collected := collected || array(select case when weekdays then v % 7 else v end from generate_series(low, high, step) v);
        end if;
    end loop;
    return array(select distinct c from unnest(collected) c order by c);
end
$$;
comment on function functions_private.cron_values(text, text, integer, integer, text[]) is
    'The values of one field of a cron expression, ascending; raises for what is none.';
revoke all on function functions_private.cron_values(text, text, integer, integer, text[]) from public;
