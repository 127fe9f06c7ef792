-- functions_private.record_table_name(): trigger that records the name of a trigger's table, so that the trigger can be bound again in a
-- restored database.
create or replace function functions_private.record_table_name() returns trigger
language plpgsql set search_path = pg_catalog, pg_temp as $$
begin
    insert into functions_private.known_tables as k (relation, schema_name, table_name)
    select c.oid, n.nspname, c.relname from pg_class c join pg_namespace n on n.oid = c.relnamespace where c.oid = new.relation
    on conflict (relation) do update set schema_name = excluded.schema_name, table_name = excluded.table_name;
    return null;
end
$$;
comment on function functions_private.record_table_name() is 'Trigger: records the name of a trigger''s table, for restored databases.';
revoke all on function functions_private.record_table_name() from public;

drop trigger if exists know_table on functions_private.triggers; -- its former name
create or replace trigger record_table_name after insert or update of relation on functions_private.triggers
    for each row execute function functions_private.record_table_name();
