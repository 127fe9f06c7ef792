-- functions_private.unpublish_table(relation) removes a table without triggers from the publications. Its replica identity is kept.
create or replace function functions_private.unpublish_table(relation oid) returns void
language plpgsql set search_path = pg_catalog, pg_temp set client_min_messages = warning as $$
declare
    written regclass;
    unwritten regclass[];
begin
    if exists (select from functions_private.triggers t where t.relation = unpublish_table.relation)
       or not exists (select from pg_class c where c.oid = relation) then
        return;
    end if;
    -- Not tables through which rows of another published table can be written.
    unwritten := array(
        select w from functions_private.writable_tables(relation) w
        where w not in (select o from functions_private.triggers t cross join functions_private.writable_tables(t.relation) o));
    -- Parents, the table, its partitions: the order in which every other statement locks them.
    foreach written in array unwritten loop
        exit when written = relation;
        execute format('lock table only %s in access exclusive mode', written);
    end loop;
    execute format('lock table %s in access exclusive mode', relation::regclass);
    execute format('drop trigger if exists functions_capture_row on %s', relation::regclass);
    execute format('drop trigger if exists functions_capture_change on %s', relation::regclass);
    for written in select l from functions_private.with_leaves(relation) l loop
        execute format('drop trigger if exists functions_capture_own_change on %s', written);
    end loop;
    foreach written in array unwritten loop
        execute format('drop trigger if exists functions_capture_context on %s', written);
    end loop;
    if exists (select from pg_publication_rel r join pg_publication p on p.oid = r.prpubid
               where p.pubname = 'functions_events' and r.prrelid = relation) then
        execute format('alter publication functions_events drop table only %s', relation::regclass);
    end if;
    for written in
        select l from functions_private.with_leaves(relation) l
        join pg_publication_rel r on r.prrelid = l join pg_publication p on p.oid = r.prpubid and p.pubname = 'functions_events_changes'
    loop
        execute format('alter publication functions_events_changes drop table only %s', written);
    end loop;
end
$$;
comment on function functions_private.unpublish_table(oid) is 'Removes a table without triggers from the publications.';
revoke all on function functions_private.unpublish_table(oid) from public;
