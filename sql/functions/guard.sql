-- functions_private.guard(): the event trigger functions_guard. A statement that changes a table so that its updates or deletes would fail, because they are
-- published, is followed by what keeps them going, in its own transaction: whole old rows, or the row trigger instead of the publication. A partition that
-- is made is left to the sidecar: it is not published, and inherits the row trigger.
-- A statement that leaves writers of a table uncaptured (ALTER TABLE ... DISABLE TRIGGER) is noted in the WAL: what the transaction goes on to write has no context, and
-- whoever it is, functions do not run as service_role for it.
-- It never fails the statement: what it can't do is left to the sidecar, with a warning. It waits for no lock longer than 2 s.
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
            where p.published and (p.has = 'none' or p.wanted = 'none' or p.has = 'full' and functions_private.refuses_whole_rows(p.relation))
        loop
            perform functions_private.settle_table(plan.relation);
        end loop;
        gaps := functions_private.gaps_message();
    exception when others then
        raise warning 'Functions.PgSidecar could not adjust tables that fire functions to what this statement changed; the sidecar tries again within seconds: %', sqlerrm;
    end;
    perform set_config('functions.in_guard', '', true);
    -- Twice: a message counts from where it ends, a change from where it begins. Where this statement is in a subtransaction, the server may decode a change that
    -- begins right behind a message before it.
    if gaps is not null then
        perform pg_logical_emit_message(true, 'functions.gaps', gaps), pg_logical_emit_message(true, 'functions.gaps', gaps);
    end if;
end
$$;
comment on function functions_private.guard() is 'Event trigger: keeps updates and deletes of published tables from failing when tables change.';
revoke all on function functions_private.guard() from public;
