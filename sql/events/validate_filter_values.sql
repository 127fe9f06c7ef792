-- functions_private.validate_filter_values(filter) raises when a member of a filter of events is not a text, id is not a UUID, or since or
-- until is not a time.
create or replace function functions_private.validate_filter_values(filter jsonb) returns void
language plpgsql stable set search_path = pg_catalog, pg_temp as $$
declare
    member record;
begin
    for member in select m.key, m.value, jsonb_typeof(m.value) as type from jsonb_each(filter) m where jsonb_typeof(m.value) <> 'null' loop
        if member.type <> 'string' then
            raise exception 'member % of the filter must be a text, not %', member.key, left(member.value::text, 60)
                using errcode = 'invalid_parameter_value';
        end if;
        begin
            if member.key = 'id' then
                perform (member.value #>> '{}')::uuid;
            elsif member.key in ('since', 'until') then
                perform (member.value #>> '{}')::timestamptz;
            end if;
        exception when data_exception then
            raise exception 'member % of the filter is not %: %', member.key, case when member.key = 'id' then 'an event''s id'
                else 'a time' end, left(member.value::text, 60)
                using errcode = 'invalid_parameter_value',
                      hint = case when member.key = 'id' then 'select event_id from functions.dead_letters;'
                          else 'For example: "2026-02-06 09:00+00".' end;
        end;
    end loop;
end
$$;
comment on function functions_private.validate_filter_values(jsonb) is 'Raises unless all values of a filter of events are valid.';
revoke all on function functions_private.validate_filter_values(jsonb) from public;
