-- functions_private.open_backfill(relation) opens the cursor "backfill" over the rows of a table: the columns that the WAL carries, in
-- their order. The right to read is checked here; whoever opened the transaction fetches.
-- Selects columns as text and nothing else, which runs only the output functions of types. They are the server's own or an extension's, and
-- never a user's code. lock_for_backfill has checked what the planner would run for the table's indexes. A table whose row-level security
-- policies would apply is refused (row_security = off): they are expressions of its owner, and the planner runs parts of them.
create or replace function functions_private.open_backfill(relation regclass) returns void
language plpgsql set search_path = pg_catalog, pg_temp set row_security = off as $$
declare
    backfill refcursor := 'backfill';
    source text := functions_private.lock_for_backfill(relation);
begin
    open backfill no scroll for execute format('select %s from %s t',
        (select string_agg('t.' || quote_ident(a.attname), ', ' order by a.attnum) from pg_attribute a
         where a.attrelid = relation and a.attnum > 0 and not a.attisdropped and functions_private.is_in_wal(a.attgenerated)), source);
end
$$;
comment on function functions_private.open_backfill(regclass) is 'Opens the cursor "backfill" over the rows of a table.';
revoke all on function functions_private.open_backfill(regclass) from public;

-- functions_serving.open_backfill(relation): the same with the owner's rights, for a table of the application that the owner owns.
create or replace function functions_serving.open_backfill(relation oid) returns void
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
begin
    if not exists (select from pg_class c where c.oid = relation) then
        raise exception 'The trigger''s table is gone.' using errcode = 'undefined_table';
    end if;
    perform functions_private.require_application_table(relation::regclass);
    perform functions_private.open_backfill(relation::regclass);
end
$$;
comment on function functions_serving.open_backfill(oid) is
    'Opens the cursor "backfill" over the rows of one of the owner''s tables, with the owner''s rights.';
revoke all on function functions_serving.open_backfill(oid) from public;
