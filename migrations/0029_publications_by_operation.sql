-- Inserts and truncations are published by functions_events, updates and deletes by functions_events_changes. PostgreSQL refuses an UPDATE or DELETE of a
-- table that is published for it and has no usable replica identity, so only tables that are known to have one are in functions_events_changes, partitions one
-- by one (docs/decisions/0010-writes-never-fail.md).
drop function if exists functions_private.publish_table(regclass, boolean);
drop function if exists functions_private.has_key(regclass);

do $$
declare
    leaf regclass;
begin
    set local client_min_messages = error;
    execute 'alter publication functions_events set (publish = ''insert, truncate'')';
    execute 'create publication functions_events_changes for table only functions_private.triggers with (publish = ''update, delete'', publish_via_partition_root = true)';
    if current_setting('server_version_num')::integer >= 180000 then
        execute 'alter publication functions_events set (publish_generated_columns = stored)';
        execute 'alter publication functions_events_changes set (publish_generated_columns = stored)';
    end if;
    -- What was published for updates and deletes until now stays so, where its identity can be used.
    for leaf in
        select distinct l::oid from functions_private.triggers t cross join lateral (
            with recursive tree as (
                select c.oid, c.relkind from pg_class c where c.oid = t.relation
                union all
                select c.oid, c.relkind from tree p join pg_inherits i on i.inhparent = p.oid join pg_class c on c.oid = i.inhrelid and c.relispartition
            ) select oid from tree where relkind = 'r') as tree (l)
        join pg_class c on c.oid = l
        where c.relreplident = 'f'
           or exists (select from pg_index i where i.indrelid = c.oid and i.indisvalid and i.indimmediate
                        and (c.relreplident = 'd' and i.indisprimary or c.relreplident = 'i' and i.indisreplident))
    loop
        execute format('alter publication functions_events_changes add table only %s', leaf);
    end loop;
    alter table functions_private.replication add column changes_xid xid8;
    update functions_private.replication set changes_xid = pg_current_xact_id();
    -- The reader, which may have to read changes from before this migration with the one publication that there was, goes on with both from here.
    perform pg_logical_emit_message(true, 'functions.publications', '');
end
$$;
