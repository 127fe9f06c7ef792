-- functions_private.has_key(relation) -> whether the WAL can name its rows without carrying them whole.
create or replace function functions_private.has_key(relation regclass) returns boolean
language sql stable set search_path = pg_catalog, pg_temp as $$
    select bool_and(exists (select from pg_index i where i.indrelid = c.oid
                              and (c.relreplident = 'd' and i.indisprimary or c.relreplident = 'i' and i.indisreplident)))
    from functions_private.with_leaves(relation) l join pg_class c on c.oid = l
$$;
comment on function functions_private.has_key(regclass) is 'Whether a table (with its partitions) has a primary key or another replica identity index.';
revoke all on function functions_private.has_key(regclass) from public;
