-- functions.drop_trigger(trigger): changes that commit from now on do not fire it any more. What committed before is still delivered, read or not.
create or replace function functions.drop_trigger(trigger text) returns void
language plpgsql set search_path = pg_catalog, functions, pg_temp as $$
declare
    former functions_private.triggers;
begin
    lock table functions_private.triggers in share row exclusive mode;
    former := functions_private.require_trigger(drop_trigger.trigger);
    delete from functions_private.triggers t where t.id = former.id;
    perform functions_private.unpublish_table(former.relation);
    perform pg_notify('functions_events', 'triggers');
end
$$;
comment on function functions.drop_trigger(text) is 'Removes a trigger. What committed before is still delivered.';
revoke all on function functions.drop_trigger(text) from public;
