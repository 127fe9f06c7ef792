-- functions_private.carry_changes(relation) creates a row trigger that writes the unpublished updates and deletes of a table into the WAL.
-- It fires under any session_replication_role, as the WAL would have the changes. Partitions inherit a partitioned table's trigger. The
-- trigger of a table that stores rows has another name, so that the table can be attached to a partitioned one.
create or replace function functions_private.carry_changes(relation regclass) returns void
language plpgsql set search_path = pg_catalog, pg_temp as $$
declare
    name text;
begin
    select t.tgname into name from pg_trigger t
    where t.tgrelid = relation and t.tgname in ('functions_capture_change', 'functions_capture_own_change') order by t.tgname limit 1;
    if not found then
        name := case when exists (select from pg_class c where c.oid = relation and c.relkind = 'p') then 'functions_capture_change'
            else 'functions_capture_own_change' end;
        execute format('create trigger %I after update or delete on %s for each row execute function functions_private.capture_change()',
            name, relation);
    end if;
    execute format('alter table only %s enable always trigger %I', relation, name);
end
$$;
comment on function functions_private.carry_changes(regclass) is
    'Creates a row trigger that writes the unpublished updates and deletes of a table into the WAL.';
revoke all on function functions_private.carry_changes(regclass) from public;
