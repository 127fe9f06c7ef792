-- functions_private.validate_time_zone(time_zone) raises unless it is the exact name of a time zone of the IANA database. PostgreSQL itself
-- also takes abbreviations, offsets and POSIX rules, which have no history and no daylight saving, or mean the opposite of what they say.
create or replace function functions_private.validate_time_zone(time_zone text) returns void
language plpgsql stable set search_path = pg_catalog, pg_temp as $$
begin
    -- Reading all zones takes tens of milliseconds, so the common cases come first.
    if time_zone = 'UTC' or exists (select from functions_private.schedules s where s.time_zone = validate_time_zone.time_zone) then
        return;
    end if;
    if time_zone ~ '^[A-Z]' and exists (select from pg_timezone_names z where z.name = time_zone) then
        return;
    end if;
    raise exception 'there is no time zone %', coalesce(to_json(left(time_zone, 80))::text, 'null')
        using errcode = 'invalid_parameter_value',
        hint = coalesce('Did you mean ' || to_json((
            select z.name from pg_timezone_names z
            where z.name ~ '^[A-Z]' and (lower(z.name) = lower(time_zone)
                or lower(regexp_replace(z.name, '^.*/', '')) = lower(replace(regexp_replace(time_zone, '^.*/', ''), ' ', '_')))
            order by z.name !~ '/', z.name limit 1)) || '? ', '') || 'Names are those of the IANA database, for example Europe/Berlin; select name from pg_timezone_names;';
end
$$;
comment on function functions_private.validate_time_zone(text) is 'Raises unless a text is the exact name of an IANA time zone.';
revoke all on function functions_private.validate_time_zone(text) from public;
