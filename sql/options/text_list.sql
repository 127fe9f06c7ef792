-- functions_private.text_list(value): the strings of a JSON array, or the one string.
create or replace function functions_private.text_list(value jsonb) returns setof text
language sql immutable set search_path = pg_catalog, pg_temp as $$
    select e from jsonb_array_elements_text(case jsonb_typeof(value) when 'array' then value else jsonb_build_array(value) end) e
$$;
comment on function functions_private.text_list(jsonb) is 'The strings of a JSON array, or the one string.';
revoke all on function functions_private.text_list(jsonb) from public;
