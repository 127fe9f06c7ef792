-- functions_private.guard(): the event trigger functions_guard. A statement that changes a table so that its updates or deletes would fail, because they are
-- published, is followed by what keeps them going, in its own transaction: whole old rows, or the row trigger instead of the publication. A partition that
-- is made is left to the sidecar: it is not published, and inherits the row trigger.
-- It never fails the statement: what it can't do is left to the sidecar, with a warning. It waits for no lock longer than 2 s.
create or replace function functions_private.guard() returns event_trigger
language plpgsql security definer set search_path = pg_catalog, pg_temp set lock_timeout = '2s' set client_min_messages = warning as $$
declare
    plan record;
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
    exception when others then
        raise warning 'Functions.PgSidecar could not adjust % to what this statement changed; the sidecar tries again within seconds: %', plan.relation, sqlerrm;
    end;
    perform set_config('functions.in_guard', '', true);
end
$$;
comment on function functions_private.guard() is 'Event trigger: keeps updates and deletes of published tables from failing when tables change.';
revoke all on function functions_private.guard() from public;
