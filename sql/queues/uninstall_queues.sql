-- functions_private.uninstall_queues(drop_messages) -> what was done, one line each
-- Drops the schemas pgmq_public and pgmq, where the installation made them. Messages, also archived ones, belong to the application: unless
-- they are to be dropped, the schema pgmq stays with them. It works without the sidecar, and an installation takes it over again. The
-- schema of the extension pgmq stays; of its queues, only the indexes go that the sidecar made.
create or replace function functions_private.uninstall_queues(drop_messages boolean) returns setof text
language plpgsql set search_path = pg_catalog, pg_temp as $$
declare
    messages bigint := 0;
    found_some boolean;
    one record;
begin
    if functions_private.is_own_schema('pgmq_public') then
        drop schema pgmq_public cascade;
        return next 'dropped schema pgmq_public';
    end if;
    if not functions_private.is_own_schema('pgmq') then
        for one in select c.oid::regclass as relation from pg_class c
            where c.relnamespace = to_regnamespace('pgmq') and c.relkind in ('i', 'I') and c.relname ~ '^q_.*_group_idx$'
              and pg_get_userbyid(c.relowner) = current_user and not c.relispartition
        loop
            execute format('drop index %s', one.relation);
        end loop;
        return;
    end if;
    for one in select c.oid::regclass as relation from pg_class c
        where c.relnamespace = 'pgmq'::regnamespace and c.relkind in ('r', 'p') and c.relname ~ '^[qa]_' and not c.relispartition
    loop
        execute format('select exists (select from %s)', one.relation) into found_some;
        messages := messages + found_some::integer;
    end loop;
    if messages > 0 and not drop_messages then
        return next format('kept schema pgmq: %s of its tables have messages; to drop them: drop schema pgmq cascade;', messages);
        return;
    end if;
    drop schema pgmq cascade;
    return next 'dropped schema pgmq';
end
$$;
comment on function functions_private.uninstall_queues(boolean) is
    'Drops the schemas pgmq and pgmq_public that the installation made; without drop_messages only if no queue has messages.';
revoke all on function functions_private.uninstall_queues(boolean) from public;
