-- functions_private.publish_table(relation) prepares a table for its triggers: how its changes are written to the WAL, and the triggers
-- that capture the writer. The caller holds the locks of functions_private.lock_for_trigger().
create or replace function functions_private.publish_table(relation regclass) returns void
language plpgsql set search_path = pg_catalog, pg_temp as $$
declare
    plan record;
    written regclass;
begin
    perform functions_private.capture_table(relation); -- first: its partitions get their row trigger from it
    for written in select u from functions_private.uncaptured_tables(relation) u loop
        perform functions_private.capture_table(written);
    end loop;
    if not exists (select from pg_publication_rel r join pg_publication p on p.oid = r.prpubid
                   where p.pubname = 'functions_events' and r.prrelid = relation) then
        execute format('alter publication functions_events add table only %s', relation);
    end if;
    -- The table itself comes first: its partitions get their trigger from it.
    for plan in
        select p.* from functions_private.with_leaves(relation) l join functions_private.change_plans() p on p.relation = l
        where not p.is_applied order by p.kind = 'p' desc, p.relation
    loop
        perform functions_private.apply_change_plan(plan.relation);
        if plan.wanted = 'full' and plan.has <> 'full' then
            raise notice '% has REPLICA IDENTITY FULL from now on: the WAL carries whole old rows.', plan.relation
                using hint = 'Updates and deletes are published with it, so that they go on if the table loses its key.';
        elsif plan.wanted = 'none' and plan.kind <> 'p' then
            raise notice 'Updates and deletes of % are carried into the WAL by a row trigger, which costs each row some 0.3 ms: published, they could fail.', plan.relation
                using hint = 'Virtual generated columns and publications with a list of columns are why; or, on PostgreSQL 18, that only a superuser can make the event trigger: select functions.install_guard();';
        end if;
    end loop;
end
$$;
comment on function functions_private.publish_table(regclass) is
    'Prepares a table for its triggers: how its changes are written to the WAL, and capture of the writer.';
revoke all on function functions_private.publish_table(regclass) from public;
