-- functions_private.guard(): the event trigger functions_guard. When a statement changes a table so that its published updates or deletes
-- would fail, this adjusts the table in the same transaction: whole old rows, or the row trigger instead of the publication. New partitions
-- are left to the sidecar: they are not published, and inherit the row trigger.
-- When a statement leaves writers of a table uncaptured (ALTER TABLE ... DISABLE TRIGGER), a message in the WAL says so: later changes of
-- the transaction have no context, and functions do not run as service_role for them, whoever the writer is.
-- It never fails the statement: what it can't do is left to the sidecar, with a warning. It waits at most 2 s for a lock.
create or replace function functions_private.guard() returns event_trigger
language plpgsql security definer set search_path = pg_catalog, pg_temp set lock_timeout = '2s' set client_min_messages = warning as $$
declare
    plan record;
    gaps bytea;
begin
    if current_setting('functions.in_guard', true) = 'on' then
        return;
    end if;
    begin
        perform set_config('functions.in_guard', 'on', true);
        for plan in
            select p.relation from functions_private.change_plans() p
            where p.published and (p.has = 'none' or p.wanted = 'none' or p.has = 'full'
                and functions_private.refuses_whole_rows(p.relation))
        loop
            perform functions_private.apply_change_plan(plan.relation);
        end loop;
        gaps := functions_private.gaps_message();
    exception when others then
        raise warning 'Functions.PgSidecar could not adjust tables that fire functions to what this statement changed; the sidecar tries again within seconds: %', sqlerrm;
    end;
    perform set_config('functions.in_guard', '', true);
    -- Written twice: a message counts from its end, a change from its beginning. If this statement is in a subtransaction, the server may
    -- decode a change that begins right behind a message before that message.
    if gaps is not null then
        perform pg_logical_emit_message(true, 'functions.gaps', gaps), pg_logical_emit_message(true, 'functions.gaps', gaps);
    end if;
end
$$;
comment on function functions_private.guard() is
    'Event trigger: keeps updates and deletes of published tables from failing when tables change.';
revoke all on function functions_private.guard() from public;
