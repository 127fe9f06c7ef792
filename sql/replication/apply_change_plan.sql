-- functions_private.apply_change_plan(relation) has the updates and deletes of a table or partition written to the WAL as
-- functions_private.change_plans() says. One transaction switches from one way to the other, under a lock that excludes writers, so that no
-- change is missed and none is read twice.
create or replace function functions_private.apply_change_plan(relation regclass) returns void
language plpgsql set search_path = pg_catalog, pg_temp as $$
declare
    plan record;
    trigger record;
    refused boolean;
    restored boolean;
    reason text := functions_private.foreign_routine(relation, false, alone => true);
begin
    if reason is not null then
        raise exception '% is left alone. %', relation, reason using errcode = 'insufficient_privilege';
    end if;
    select p.* into plan from functions_private.change_plans() p where p.relation = apply_change_plan.relation;
    if not found or plan.is_applied then
        return;
    end if;
    execute format('lock table only %s in %s mode', relation,
        case when plan.wanted = 'full' and plan.has <> 'full' or plan.wanted = 'none' and plan.has = 'full'
            and (plan.published or functions_private.refuses_whole_rows(relation))
            then 'access exclusive' else 'share row exclusive' end);
    select p.* into plan from functions_private.change_plans() p where p.relation = apply_change_plan.relation;
    if not found or plan.is_applied then
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
        -- The identity that the sidecar set conflicts with a column list in another publication. The event trigger resolves that conflict
        -- when such a
        -- publication is made; until then the identity stays, because the owner may have set the same one meanwhile. Without the event
        -- trigger it is restored now.
        if functions_private.identity_of(relation) = 'full' then
            refused := functions_private.refuses_whole_rows(relation);
            if refused or plan.published and not functions_private.has_guard() then
                restored := functions_private.restore_identity(relation);
                if refused and not restored then
                    execute format('alter table only %s replica identity default', relation);
                end if;
            end if;
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
            execute format(case when trigger.is_own then 'drop trigger %I on %s'
                else 'alter table only %2$s disable trigger %1$I' end, trigger.tgname, relation);
        end loop;
    end if;
end
$$;
comment on function functions_private.apply_change_plan(regclass) is
    'Has the updates and deletes of a table written to the WAL as change_plans() says.';
revoke all on function functions_private.apply_change_plan(regclass) from public;
