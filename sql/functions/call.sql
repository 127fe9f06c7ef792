-- call functions.call(function, payload, result)
-- Runs a function and waits for its result. Commits what the session has done before, because a function sees what is committed.
-- Raises what the function failed with, without another attempt; query_canceled when there is no result within five minutes.
-- A procedure that commits can't pin its search_path: it does nothing itself but call what does.
create or replace procedure functions.call(function text, payload jsonb, inout result jsonb)
language plpgsql as $$
declare
    id uuid := functions_private.begin_call(function, payload);
begin
    commit;
    while functions_private.call_goes_on(id) loop
        rollback; -- and with it the snapshot, should the session's isolation keep one
    end loop;
    result := functions_private.call_result(id);
end
$$;
comment on procedure functions.call(text, jsonb, jsonb) is 'Commits, runs a function, waits for its result and returns it; raises what it failed with.';
revoke all on procedure functions.call(text, jsonb, jsonb) from public;
