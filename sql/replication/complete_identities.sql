-- functions_private.complete_identities() gives every table of functions_private a replica identity. Under a publication FOR ALL TABLES,
-- which any user of the database may have, UPDATE and DELETE fail on tables without one. The migrator calls it after any change;
-- make_partition does the same for partitions.
create or replace function functions_private.complete_identities() returns void
language plpgsql set search_path = pg_catalog, pg_temp as $$
declare
    bare regclass;
begin
    for bare in
        select c.oid from pg_class c
        where c.relnamespace = 'functions_private'::regnamespace and c.relkind in ('r', 'p') and c.relreplident = 'd'
          and not exists (select from pg_index i where i.indrelid = c.oid and i.indisprimary and i.indimmediate)
    loop
        execute format('alter table only %s replica identity full', bare);
    end loop;
end
$$;
comment on function functions_private.complete_identities() is
    'Gives every table of functions_private without a primary key a replica identity.';
revoke all on function functions_private.complete_identities() from public;
