-- functions_private.remember_identity(relation) records a table's replica identity before it is changed, so that uninstalling can restore
-- it. Call it only when the identity is not the one that the sidecar set: what the table has then is what its owner wants.
create or replace function functions_private.remember_identity(relation regclass) returns void
language sql volatile set search_path = pg_catalog, pg_temp as $$
    insert into functions_private.known_tables as k (relation, schema_name, table_name, former_identity, former_index)
    select c.oid, n.nspname, c.relname, c.relreplident,
           (select x.relname from pg_index i join pg_class x on x.oid = i.indexrelid where c.relreplident = 'i' and i.indrelid = c.oid
               and i.indisreplident)
    from pg_class c join pg_namespace n on n.oid = c.relnamespace where c.oid = remember_identity.relation
    on conflict (relation) do update set former_identity = excluded.former_identity, former_index = excluded.former_index
$$;
comment on function functions_private.remember_identity(regclass) is 'Records a table''s replica identity before it is changed.';
revoke all on function functions_private.remember_identity(regclass) from public;
