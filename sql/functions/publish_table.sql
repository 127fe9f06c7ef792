-- functions_private.publish_table(relation, with_old) prepares a table: whole old rows in the WAL where they are wanted, its place in the
-- publication, and the triggers that capture who writes. Waits for transactions that have written to the table, and where its replica identity
-- changes for those that have read it; those that come after this one fire, all of their changes.
create or replace function functions_private.publish_table(relation regclass, with_old boolean) returns void
language plpgsql set search_path = pg_catalog, pg_temp as $$
declare
    leaf regclass;
    written regclass;
    has_identity boolean;
begin
    -- What it inherits from comes first: whoever names that locks it before the table.
    for written in select w from functions_private.writable_tables(relation) w loop
        exit when written = relation;
        if not exists (select from pg_trigger t where t.tgrelid = written and t.tgname = 'functions_capture_context') then
            execute format('lock table only %s in share row exclusive mode', written);
        end if;
    end loop;
    -- The strongest lock that will be needed, at once: raised later, it is a deadlock with who has read the table and goes on to write it. That
    -- one goes before a lock that waits. LOCK takes the table first and then its partitions, as every other statement does.
    execute format('lock table %s in %s mode', relation,
        case when with_old and exists (select from functions_private.with_leaves(relation) l join pg_class c on c.oid = l where c.relreplident <> 'f')
            then 'access exclusive' else 'share row exclusive' end);
    for leaf in select l from functions_private.with_leaves(relation) l loop
        select case c.relreplident
                when 'f' then true
                when 'i' then exists (select from pg_index i where i.indrelid = c.oid and i.indisreplident)
                when 'd' then exists (select from pg_index i where i.indrelid = c.oid and i.indisprimary)
                else false end
        into has_identity from pg_class c where c.oid = leaf;
        if with_old and (select c.relreplident <> 'f' from pg_class c where c.oid = leaf) then
            perform functions_private.remember_identity(leaf);
            execute format('alter table %s replica identity full', leaf);
            raise notice '% has REPLICA IDENTITY FULL from now on: the WAL carries whole old rows.', leaf
                using hint = 'To do without old rows: the option include_old false.';
        elsif not has_identity then
            raise exception '% has no primary key: without one its UPDATEs and DELETEs would fail once it is published.', leaf
                using errcode = 'object_not_in_prerequisite_state', hint = format('alter table %s add primary key (...); or leave include_old true.', leaf);
        end if;
    end loop;
    perform functions_private.capture_table(relation); -- first: its partitions get their row trigger from it
    for written in select u from functions_private.uncaptured_tables(relation) u loop
        perform functions_private.capture_table(written);
    end loop;
    if not exists (select from pg_publication_rel r join pg_publication p on p.oid = r.prpubid
                   where p.pubname = 'functions_events' and r.prrelid = relation) then
        execute format('alter publication functions_events add table %s', relation);
    end if;
end
$$;
comment on function functions_private.publish_table(regclass, boolean) is 'Prepares a table for triggers: replica identity, publication, capture of the writer.';
revoke all on function functions_private.publish_table(regclass, boolean) from public;
