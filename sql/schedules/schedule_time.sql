-- functions_private.schedule_time(key, value) -> the moment that an option names; null for null; raises when it is none
create or replace function functions_private.schedule_time(key text, value jsonb) returns timestamptz
language plpgsql stable set search_path = pg_catalog, pg_temp as $$
declare
    moment timestamptz;
begin
    if value is null or jsonb_typeof(value) = 'null' then
        return null;
    end if;
    begin
        if jsonb_typeof(value) = 'string' then
            moment := (value #>> '{}')::timestamptz;
        end if;
    exception when data_exception then null;
    end;
    if moment is null or not isfinite(moment) then
        raise exception 'option % is not a time: %', key, left(value::text, 60) using errcode = 'invalid_parameter_value',
            hint = 'For example: "2026-02-06 09:00+00".';
    end if;
    return moment;
end
$$;
comment on function functions_private.schedule_time(text, jsonb) is
    'The moment that an option of a schedule names; raises when it is none.';
revoke all on function functions_private.schedule_time(text, jsonb) from public;
