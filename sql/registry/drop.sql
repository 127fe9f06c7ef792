-- functions.drop(name): removes the function with its versions, triggers, webhooks, schedules, consumers of
-- queues, variables, secrets and hosts. Its
-- invocations and logs stay for their retention; events that wait for it become dead letters.
create or replace function functions.drop(name text) returns void
language plpgsql set search_path = pg_catalog, functions, pg_temp as $$
begin
    -- In create_trigger's order, and the row with the lock that the delete needs: raising it later could deadlock with a session that waits
    -- in between.
    perform functions_private.lock_triggers();
    perform from functions_private.functions f where f.name = "drop".name for update;
    perform functions_private.require_function("drop".name);
    perform functions.drop_trigger(t.name) from functions_private.triggers t where t.function = "drop".name;
    perform functions.unschedule(s.name) from functions_private.schedules s where s.function = "drop".name;
    perform functions.stop_consuming(c.queue) from functions_private.queue_consumers c where c.function = "drop".name;
    delete from functions_private.functions f where f.name = "drop".name;
end
$$;
comment on function functions.drop(text) is
    'Drops a function with its versions, triggers, webhooks, schedules, consumers of queues, variables, secrets and hosts; its invocations and logs stay.';
revoke all on function functions.drop(text) from public;
