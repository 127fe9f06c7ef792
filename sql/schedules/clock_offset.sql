-- functions_private.clock_offset(time_zone, moment) -> how far the clocks of a time zone are ahead of UTC at a moment
create or replace function functions_private.clock_offset(time_zone text, moment timestamptz) returns interval
language sql stable set search_path = pg_catalog, pg_temp as $$
    select (moment at time zone time_zone) - (moment at time zone 'UTC')
$$;
comment on function functions_private.clock_offset(text, timestamptz) is 'How far the clocks of a time zone are ahead of UTC at a moment.';
revoke all on function functions_private.clock_offset(text, timestamptz) from public;
