-- functions.disable_trigger(trigger): changes that commit while it is disabled never fire it. Events that were stored before are still
-- delivered.
create or replace function functions.disable_trigger(trigger text) returns void
language plpgsql set search_path = pg_catalog, functions, pg_temp as $$
begin
    perform functions_private.require_trigger(disable_trigger.trigger);
    update functions_private.triggers t set enabled = false where t.name = disable_trigger.trigger;
    perform pg_notify('functions_events', 'triggers');
end
$$;
comment on function functions.disable_trigger(text) is
    'Disables a trigger: changes that commit while it is disabled never fire it. Stored events are still delivered.';
revoke all on function functions.disable_trigger(text) from public;
