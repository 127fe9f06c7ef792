-- functions.carry_changes(always) is the operator's choice for an installation without the event trigger functions_guard. True: row
-- triggers carry the updates and deletes of every table. Then no change of a table's definition can make its writes fail, not even for the
-- second until a sidecar has noticed it; each row costs the writer more. False (the default): they are published where the server's version
-- allows it. With functions_guard it makes no difference. A running sidecar applies it to the tables that fire functions within seconds.
create or replace function functions.carry_changes(always boolean) returns void
language plpgsql set search_path = pg_catalog, pg_temp as $$
begin
    if always is null then
        raise exception 'carry_changes takes true or false, not null' using errcode = 'null_value_not_allowed';
    end if;
    insert into functions_private.settings as s (key, value) values ('events.carry_changes', always::text)
    on conflict (key) do update set value = excluded.value, updated_at = now();
    if always and functions_private.has_guard() then
        raise notice 'The event trigger functions_guard exists and keeps writes from failing: updates and deletes are published as before.';
    end if;
end
$$;
comment on function functions.carry_changes(boolean) is
    'Without functions_guard: true makes row triggers carry all updates and deletes, so that no change of a table can make its writes '
    'fail.';
revoke all on function functions.carry_changes(boolean) from public;
