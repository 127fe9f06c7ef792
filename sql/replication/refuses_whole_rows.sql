-- functions_private.refuses_whole_rows(relation) -> whether a publication of the application would make updates or deletes of the table
-- fail if it had REPLICA IDENTITY FULL: one with a list of columns, or, from PostgreSQL 18 on, one without its stored generated columns
create or replace function functions_private.refuses_whole_rows(relation oid) returns boolean
language plpgsql stable set search_path = pg_catalog, pg_temp as $$
#variable_conflict use_column
begin
    return (
        with recursive above as (
            select relation as oid
            union all
            select i.inhparent from above a join pg_class c on c.oid = a.oid and c.relispartition join pg_inherits i on i.inhrelid = a.oid
        ), published as (
            select p.oid, r.prattrs is not null as has_list
            from above a join pg_publication_rel r on r.prrelid = a.oid join pg_publication p on p.oid = r.prpubid
            where (p.pubupdate or p.pubdelete) and p.pubname not in ('functions_events', 'functions_events_changes')
            union all
            select p.oid, false
            from above a join pg_class c on c.oid = a.oid join pg_publication_namespace n on n.pnnspid = c.relnamespace
                join pg_publication p on p.oid = n.pnpubid
            where p.pubupdate or p.pubdelete
            union all
            select p.oid, false from pg_publication p where p.puballtables and (p.pubupdate or p.pubdelete)
        )
        select exists (
            select from published p
            where p.has_list
               or current_setting('server_version_num')::integer >= 180000
                  and exists (select from pg_attribute a where a.attrelid = relation and a.attnum > 0 and not a.attisdropped
                      and a.attgenerated = 's')
                  and (select to_jsonb(o) ->> 'pubgencols' from pg_publication o where o.oid = p.oid) is distinct from 's')
    );
end
$$;
comment on function functions_private.refuses_whole_rows(oid) is
    'Whether another publication would make updates of the table fail if it had REPLICA IDENTITY FULL.';
revoke all on function functions_private.refuses_whole_rows(oid) from public;
