-- functions_private.capture_table(relation): the statements that name a table tell from now on who writes, by a statement trigger.
-- That leaves the partitions that will be attached: a partitioned table gets a row trigger as well, which every new partition is born with. It
-- is switched off where it is not needed any more: in a partition all of whose names tell, its own and those above it.
-- The row trigger is never replaced: that would switch it on again everywhere. Hence the lock, under which nobody else makes it.
create or replace function functions_private.capture_table(relation regclass) returns void
language plpgsql set search_path = pg_catalog, pg_temp as $$
begin
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
comment on function functions_private.capture_table(regclass) is 'Has the statements that name a table tell who writes.';
revoke all on function functions_private.capture_table(regclass) from public;
