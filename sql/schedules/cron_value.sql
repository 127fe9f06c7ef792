-- functions_private.cron_value(text, what, lowest, highest, names) -> a number or a name of a cron expression's field, as a number
create or replace function functions_private.cron_value(value text, what text, lowest integer, highest integer, names text[])
    returns integer
language plpgsql immutable set search_path = pg_catalog, pg_temp as $$
declare
    found_value integer := case when value ~ '^\d+$' then value::integer else array_position(names, upper(value)) - 1 + lowest end;
begin
    if found_value is null then
        raise exception 'the field % of a cron expression has no value named %', what, to_json(left(value, 40))
            using errcode = 'invalid_parameter_value',
            hint = case when names <> '{}' then format('The names are %s.', array_to_string(names, ', ')) else 'Write a number.' end;
    elsif found_value not between lowest and highest then
        raise exception 'the field % of a cron expression must be from % to %, not %', what, lowest, highest, found_value
            using errcode = 'invalid_parameter_value';
    end if;
    return found_value;
end
$$;
comment on function functions_private.cron_value(text, text, integer, integer, text[]) is
    'A number or name of a cron expression''s field as a number; raises when it is out of range.';
revoke all on function functions_private.cron_value(text, text, integer, integer, text[]) from public;
