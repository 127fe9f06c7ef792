-- functions_private.settle_table(relation) has the updates and deletes of a table, or of a partition, get into the WAL as functions_private.change_plans()
-- says. One transaction goes from the one way to the other, under a lock that no writer shares, so that no change is missed and none comes twice.
create or replace function functions_private.settle_table(relation regclass) returns void
language plpgsql set search_path = pg_catalog, pg_temp as $$
declare
    plan record;
    trigger record;
begin
    select p.* into plan from functions_private.change_plans() p where p.relation = settle_table.relation;
    if not found or plan.is_settled then
        return;
    end if;
    execute format('lock table only %s in %s mode', relation,
        case when plan.wanted = 'full' and plan.has <> 'full' or plan.wanted = 'none' and plan.has = 'full' and functions_private.refuses_whole_rows(relation)
            then 'access exclusive' else 'share row exclusive' end);
    select p.* into plan from functions_private.change_plans() p where p.relation = settle_table.relation;
    if not found or plan.is_settled then
        return;
    end if;
    if plan.wanted is null then
        if plan.published then
            execute format('alter publication functions_events_changes drop table only %s', relation);
        end if;
        for trigger in
            select t.tgname from pg_trigger t
            where t.tgrelid = relation and t.tgname in ('functions_capture_change', 'functions_capture_own_change') and t.tgparentid = 0
        loop
            execute format('drop trigger %I on %s', trigger.tgname, relation);
        end loop;
    elsif plan.kind = 'p' then
        if plan.has <> 'full' then
            perform functions_private.remember_identity(relation);
            execute format('alter table only %s replica identity full', relation);
        end if;
        perform functions_private.carry_changes(relation);
    elsif plan.wanted = 'none' then
        perform functions_private.carry_changes(relation);
        if plan.published then
            execute format('alter publication functions_events_changes drop table only %s', relation);
        end if;
        if plan.has = 'full' and functions_private.refuses_whole_rows(relation) then
            execute format('alter table only %s replica identity default', relation);
        end if;
    else
        if plan.wanted = 'full' and plan.has <> 'full' then
            perform functions_private.remember_identity(relation);
            execute format('alter table only %s replica identity full', relation);
        end if;
        if not plan.published then
            execute format('alter publication functions_events_changes add table only %s', relation);
        end if;
        for trigger in
            select t.tgname, t.tgparentid = 0 as is_own from pg_trigger t
            where t.tgrelid = relation and t.tgname in ('functions_capture_change', 'functions_capture_own_change')
        loop
            execute format(case when trigger.is_own then 'drop trigger %I on %s' else 'alter table only %2$s disable trigger %1$I' end, trigger.tgname, relation);
        end loop;
    end if;
end
$$;
comment on function functions_private.settle_table(regclass) is 'Has the updates and deletes of a table get into the WAL as change_plans() says.';
revoke all on function functions_private.settle_table(regclass) from public;
