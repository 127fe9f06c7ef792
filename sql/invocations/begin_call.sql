-- functions_private.begin_call(function, payload) -> the event's id. Like functions.invoke, but with one attempt only.
create or replace function functions_private.begin_call(function text, payload jsonb) returns uuid
language plpgsql set search_path = pg_catalog, pg_temp as $$
declare
    new_id uuid := functions.invoke(function, payload);
begin
    update functions_private.deliveries d set attempts = -1 where d.event_id = new_id;
    return new_id;
end
$$;
comment on function functions_private.begin_call(text, jsonb) is
    'Starts functions.call: an asynchronous invocation with one attempt. Returns the event''s id.';
revoke all on function functions_private.begin_call(text, jsonb) from public;
