-- functions_private.create_publications() creates the missing ones of two publications: functions_events for inserts and truncations,
-- functions_events_changes for updates and deletes. Both contain the definitions of triggers. From PostgreSQL 18 on they publish stored
-- generated columns, also when an older server created them (pg_upgrade keeps publications as they were).
create or replace function functions_private.create_publications() returns void
language plpgsql set search_path = pg_catalog, pg_temp as $$
declare
    wanted record;
begin
    for wanted in
        select w.* from (values ('functions_events', 'insert, truncate'), ('functions_events_changes', 'update, delete')) as w (name,
            operations)
        where not exists (select from pg_publication p where p.pubname = w.name)
    loop
        execute format('create publication %I for table only functions_private.triggers with (publish = %L, publish_via_partition_root = true)', wanted.name, wanted.operations);
    end loop;
    if current_setting('server_version_num')::integer >= 180000 then
        for wanted in
            select p.pubname as name from pg_publication p
            where p.pubname in ('functions_events', 'functions_events_changes') and to_jsonb(p) ->> 'pubgencols' <> 's'
        loop
            execute format('alter publication %I set (publish_generated_columns = stored)', wanted.name);
        end loop;
    end if;
end
$$;
comment on function functions_private.create_publications() is 'Creates those of the two publications that are missing.';
revoke all on function functions_private.create_publications() from public;
