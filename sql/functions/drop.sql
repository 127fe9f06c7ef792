-- functions.drop(name): removes the function with its versions, triggers, variables, secrets and hosts. Its invocations and logs stay for their
-- retention; events that wait for it become dead letters.
create or replace function functions.drop(name text) returns void
language plpgsql set search_path = pg_catalog, functions, pg_temp as $$
begin
    -- In create_trigger's order, and the row as the delete needs it: what is raised later is a deadlock with who waits in between.
    lock table functions_private.triggers in share row exclusive mode;
    perform from functions_private.functions f where f.name = "drop".name for update;
    perform functions_private.require_function("drop".name);
    perform functions.drop_trigger(t.name) from functions_private.triggers t where t.function = "drop".name;
    delete from functions_private.functions f where f.name = "drop".name;
end
$$;
comment on function functions.drop(text) is 'Removes a function with its versions, triggers, variables, secrets and hosts; the log of what it did stays.';
revoke all on function functions.drop(text) from public;
