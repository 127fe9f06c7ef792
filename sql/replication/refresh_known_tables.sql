-- functions_private.refresh_known_tables() updates the recorded names of tables that are known by oid. Not in a copy of a database that has
-- not been initialized yet: its recorded oids are wrong, and only the names identify the tables.
create or replace function functions_private.refresh_known_tables() returns void
language sql volatile set search_path = pg_catalog, pg_temp as $$
    update functions_private.known_tables k set schema_name = n.nspname, table_name = c.relname
    from pg_class c join pg_namespace n on n.oid = c.relnamespace
    where c.oid = k.relation and (k.schema_name, k.table_name) is distinct from (n.nspname, c.relname)
      and exists (select from functions_private.installation i join pg_database d on d.datname = current_database()
          where i.database = d.oid);
    delete from functions_private.known_tables k
    where not exists (select from pg_class c where c.oid = k.relation)
        and not exists (select from functions_private.triggers t where t.relation = k.relation)
      and exists (select from functions_private.installation i join pg_database d on d.datname = current_database()
          where i.database = d.oid);
$$;
comment on function functions_private.refresh_known_tables() is 'Updates the recorded names of tables that are known by oid.';
revoke all on function functions_private.refresh_known_tables() from public;
