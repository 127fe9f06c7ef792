-- call functions.call(function, payload, result)
-- Runs a function and waits for its result. Commits what the session has done before, because a function sees what is committed.
-- Raises what the function failed with, without another attempt; query_canceled when there is no result within five minutes.
create or replace procedure functions.call(function text, payload jsonb, inout result jsonb)
language plpgsql as $$
declare
    id uuid;
    outcome record;
    give_up timestamptz := clock_timestamp() + interval '5 minutes';
    pause double precision := 0.002;
begin
    id := functions.invoke(function, payload);
    update functions_private.deliveries d set attempts = -1 where d.event_id = id; -- the first failure is the last
    commit;
    loop
        select r.status, r.result, r.error_code, r.error_message into outcome from functions_private.results r where r.event_id = id;
        exit when found;
        if clock_timestamp() >= give_up then
            raise exception 'Function % gave no result within 5 minutes.', to_json(function) using errcode = 'query_canceled',
                hint = case when exists (select from functions.sidecars s where s.alive)
                    then format('It may still come: select * from functions.results where id = %L;', id)
                    else 'No sidecar serves this database at the moment.' end;
        end if;
        perform pg_sleep(pause);
        pause := least(pause * 1.5, 0.1);
        rollback; -- and with it the snapshot, should the session's isolation keep one
    end loop;
    if outcome.status <> 'succeeded' then
        raise exception '%', outcome.error_message using errcode = 'external_routine_exception', detail = outcome.error_code;
    end if;
    result := outcome.result;
end
$$;
comment on procedure functions.call(text, jsonb, jsonb) is 'Commits, runs a function, waits for its result and returns it; raises what it failed with.';
revoke all on procedure functions.call(text, jsonb, jsonb) from public;
