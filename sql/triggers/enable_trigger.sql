-- functions.enable_trigger(trigger): changes that commit from now on fire it again.
create or replace function functions.enable_trigger(trigger text) returns void
language plpgsql set search_path = pg_catalog, functions, pg_temp as $$
begin
    perform functions_private.require_trigger(enable_trigger.trigger);
    update functions_private.triggers t set enabled = true where t.name = enable_trigger.trigger;
    perform pg_notify('functions_events', 'triggers');
end
$$;
comment on function functions.enable_trigger(text) is 'Enables a trigger: changes that commit from now on fire it again.';
revoke all on function functions.enable_trigger(text) from public;
