-- functions_private.uncaptured_tables(relation) -> the tables for which functions_private.capture_table must be called, in this order, so
-- that the writer of every change to a table is captured: tables without the statement trigger, partitioned tables without the row trigger,
-- and partitions in which the row trigger is enabled but not needed any more.
create or replace function functions_private.uncaptured_tables(relation oid) returns setof regclass
language sql stable set search_path = pg_catalog, pg_temp as $$
    with tables as (
        select w.oid::oid, w.place, c.relkind, c.relispartition,
               exists (select from pg_trigger t where t.tgrelid = w.oid and t.tgname = 'functions_capture_context') as is_captured,
               (select t.tgenabled from pg_trigger t where t.tgrelid = w.oid and t.tgname = 'functions_capture_row') as row
        from functions_private.writable_tables(relation) with ordinality w (oid, place) join pg_class c on c.oid = w.oid
    )
    select t.oid::regclass from tables t
    where not t.is_captured
       or t.relkind = 'p' and not t.relispartition and t.row is null
       or t.relkind <> 'p' and t.row <> 'D' and not exists (
           select from functions_private.writable_tables(t.oid) w
           where not exists (select from pg_trigger c where c.tgrelid = w and c.tgname = 'functions_capture_context'))
    order by t.place
$$;
comment on function functions_private.uncaptured_tables(oid) is
    'The tables for which capture_table must be called, so that every writer of a table is captured.';
revoke all on function functions_private.uncaptured_tables(oid) from public;
