-- functions_private.validate_filter(filter, members, example) raises when a filter of events or messages is not an object, has a member
-- that is not among these, or has a value that is not a text, an id that is not a UUID, or a since or until that is not a time. A member
-- that is null is as if it were absent. The example is the hint for what is not an object.
create or replace function functions_private.validate_filter(filter jsonb, members text[], example text) returns void
language plpgsql stable set search_path = pg_catalog, pg_temp as $$
declare
    unknown text;
    member record;
begin
    if jsonb_typeof(filter) is distinct from 'object' then
        raise exception 'the filter must be a JSON object, not %', coalesce(jsonb_typeof(filter), 'null')
            using errcode = 'invalid_parameter_value', hint = 'For example: ' || example;
    end if;
    select k into unknown from jsonb_object_keys(filter) k where k <> all (members) limit 1;
    if found then
        raise exception 'unknown member % of the filter', to_json(unknown) using errcode = 'invalid_parameter_value',
            hint = format('The members are %s.', array_to_string(members, ', '));
    end if;
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
comment on function functions_private.validate_filter(jsonb, text[], text) is
    'Raises unless a filter of events or messages is valid and has no other members than these.';
revoke all on function functions_private.validate_filter(jsonb, text[], text) from public;
