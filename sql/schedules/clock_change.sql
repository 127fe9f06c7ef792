-- functions_private.clock_change(time_zone, after, until) -> the moment at which the clocks change in that period; null when the offset
-- from UTC is the same at its end. For periods of at most a few days, in which the clocks change once.
create or replace function functions_private.clock_change(time_zone text, after timestamptz, until timestamptz) returns timestamptz
language plpgsql stable set search_path = pg_catalog, pg_temp as $$
declare
    before interval := functions_private.clock_offset(time_zone, after);
    low bigint := extract(epoch from after)::bigint;
    high bigint := extract(epoch from until)::bigint;
begin
    if functions_private.clock_offset(time_zone, until) = before then
        return null;
    end if;
    while high - low > 1 loop
        if functions_private.clock_offset(time_zone, to_timestamp((low + high) / 2)) = before then
            low := (low + high) / 2;
        else
            high := (low + high) / 2;
        end if;
    end loop;
    return to_timestamp(high);
end
$$;
comment on function functions_private.clock_change(text, timestamptz, timestamptz) is
    'The moment in a period at which the clocks of a time zone change, or null.';
revoke all on function functions_private.clock_change(text, timestamptz, timestamptz) from public;
