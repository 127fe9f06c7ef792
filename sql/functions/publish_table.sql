-- functions_private.publish_table(relation, with_old) prepares a table: whole old rows in the WAL where they are wanted, its place in the
-- publication, and the trigger that captures who writes. Waits for transactions that have written to the table, and where its replica identity
-- changes for those that have read it; those that come after this one fire, all of their changes.
create or replace function functions_private.publish_table(relation regclass, with_old boolean) returns void
language plpgsql set search_path = pg_catalog, pg_temp as $$
declare
    leaf regclass;
    has_identity boolean;
begin
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
            execute format('alter table %s replica identity full', leaf);
            raise notice '% has REPLICA IDENTITY FULL from now on: the WAL carries whole old rows.', leaf
                using hint = 'To do without old rows: the option include_old false.';
        elsif not has_identity then
            raise exception '% has no primary key: without one its UPDATEs and DELETEs would fail once it is published.', leaf
                using errcode = 'object_not_in_prerequisite_state', hint = format('alter table %s add primary key (...); or leave include_old true.', leaf);
        end if;
        execute format('create or replace trigger functions_capture_context before insert or update or delete or truncate on %s for each statement
            execute function functions_private.capture_context()', leaf);
    end loop;
    if not exists (select from pg_publication_rel r join pg_publication p on p.oid = r.prpubid
                   where p.pubname = 'functions_events' and r.prrelid = relation) then
        execute format('alter publication functions_events add table %s', relation);
    end if;
end
$$;
comment on function functions_private.publish_table(regclass, boolean) is 'Prepares a table for triggers: replica identity, publication, capture of the writer.';
revoke all on function functions_private.publish_table(regclass, boolean) from public;
