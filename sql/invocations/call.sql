-- call functions.call(function, payload, result)
-- Runs a function and waits for its result. Commits what the session has done before, because a function sees what is committed.
-- Raises the error with which the function fails, without another attempt, and query_canceled when there is no result within five minutes.
-- A procedure that commits can't pin its search_path, so it only calls functions that do.
create or replace procedure functions.call(function text, payload jsonb, inout result jsonb)
language plpgsql as $$
declare
    id uuid := functions_private.begin_call(function, payload);
begin
    commit;
    while functions_private.call_is_pending(id) loop
        rollback; -- ends the snapshot, in case the session's isolation level keeps one
    end loop;
    result := functions_private.call_result(id);
end
$$;
comment on procedure functions.call(text, jsonb, jsonb) is
    'Commits, runs a function once and waits; returns its result, or raises its error.';
revoke all on procedure functions.call(text, jsonb, jsonb) from public;
