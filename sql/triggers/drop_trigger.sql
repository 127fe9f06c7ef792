-- functions.drop_trigger(trigger): changes that commit from now on do not fire it. Changes that committed before are still delivered,
-- whether they have been read or not.
create or replace function functions.drop_trigger(trigger text) returns void
language plpgsql set search_path = pg_catalog, functions, pg_temp as $$
declare
    former functions_private.triggers;
begin
    perform functions_private.lock_triggers();
    former := functions_private.require_trigger(drop_trigger.trigger);
    delete from functions_private.triggers t where t.id = former.id;
    perform functions_private.unpublish_table(former.relation);
    perform pg_notify('functions_events', 'triggers');
end
$$;
comment on function functions.drop_trigger(text) is 'Removes a trigger. Changes that committed before are still delivered.';
revoke all on function functions.drop_trigger(text) from public;
