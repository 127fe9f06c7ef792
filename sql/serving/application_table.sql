-- functions_private.application_table(name) -> the table with a name as a sidecar's session prints it: without a schema, it is in public.
-- Null if there is none.
-- For routines of functions_serving: their caller may not use the schema of the table, and so can't look the name up itself; and they must
-- not have public in their search_path.
create or replace function functions_private.application_table(name text) returns regclass
language plpgsql stable set search_path = pg_catalog, pg_temp as $$
declare
    parts text[] := parse_ident(name);
begin
    return to_regclass(case when cardinality(parts) = 1 then format('public.%I', parts[1]) else name end);
exception when invalid_parameter_value then
    return null;
end
$$;
comment on function functions_private.application_table(text) is
    'The table with a name as a sidecar''s session prints it: without a schema, it is in public.';
revoke all on function functions_private.application_table(text) from public;
