-- functions_private.capture_table(relation) creates the triggers that capture the writer for statements that name the table.
-- Partitions that are attached later need one too: a partitioned table also gets a row trigger, which every new partition inherits. The row
-- trigger is disabled where it is not needed any more: in a partition that has the statement trigger on itself and on every table above it.
-- The row trigger is never replaced, because that would enable it again everywhere. The lock keeps other sessions from creating it at the
-- same time.
create or replace function functions_private.capture_table(relation regclass) returns void
language plpgsql set search_path = pg_catalog, pg_temp as $$
declare
    reason text := functions_private.foreign_routine(relation, false, alone => true);
begin
    if reason is not null then
        raise exception 'The triggers of % are not made. %', relation, reason using errcode = 'insufficient_privilege';
    end if;
    execute format('create or replace trigger functions_capture_context before insert or update or delete or truncate on %s for each statement
        execute function functions_private.capture_context()', relation);
    if exists (select from pg_class c where c.oid = relation and c.relkind = 'p' and not c.relispartition) then
        execute format('lock table only %s in share row exclusive mode', relation);
        if not exists (select from pg_trigger t where t.tgrelid = relation and t.tgname = 'functions_capture_row') then
            execute format('create trigger functions_capture_row before insert or update or delete on %s for each row
                execute function functions_private.capture_row()', relation);
        end if;
    elsif exists (select from functions_private.uncaptured_tables(relation) u where u = relation) then
        execute format('alter table only %s disable trigger functions_capture_row', relation);
    end if;
end
$$;
comment on function functions_private.capture_table(regclass) is
    'Creates the triggers that capture the writer for statements that name a table.';
revoke all on function functions_private.capture_table(regclass) from public;
