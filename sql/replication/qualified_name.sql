-- functions_private.qualified_name(relation) -> schema.table, quoted where needed, independent of the search_path.
create or replace function functions_private.qualified_name(relation regclass) returns text
language sql stable set search_path = pg_catalog, pg_temp as $$
    select format('%I.%I', n.nspname, c.relname) from pg_class c join pg_namespace n on n.oid = c.relnamespace where c.oid = relation
$$;
comment on function functions_private.qualified_name(regclass) is 'Schema and name of a relation, quoted where needed.';
revoke all on function functions_private.qualified_name(regclass) from public;
