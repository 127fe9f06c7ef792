-- functions_private.unpublish_table(relation) takes a table that no trigger is on any more out of the publication. Its replica identity stays.
create or replace function functions_private.unpublish_table(relation oid) returns void
language plpgsql set search_path = pg_catalog, pg_temp as $$
declare
    leaf regclass;
begin
    if exists (select from functions_private.triggers t where t.relation = unpublish_table.relation)
       or not exists (select from pg_class c where c.oid = relation) then
        return;
    end if;
    -- Before its partitions, as every other statement takes them.
    execute format('lock table %s in access exclusive mode', relation::regclass);
    for leaf in select l from functions_private.with_leaves(relation) l loop
        execute format('drop trigger if exists functions_capture_context on %s', leaf);
    end loop;
    if exists (select from pg_publication_rel r join pg_publication p on p.oid = r.prpubid
               where p.pubname = 'functions_events' and r.prrelid = relation) then
        execute format('alter publication functions_events drop table %s', relation::regclass);
    end if;
end
$$;
comment on function functions_private.unpublish_table(oid) is 'Takes a table that no trigger is on any more out of the publication.';
revoke all on function functions_private.unpublish_table(oid) from public;
