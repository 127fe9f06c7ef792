-- functions_private.call_result(id) -> what the function returned; raises what it failed with.
create or replace function functions_private.call_result(id uuid) returns jsonb
language plpgsql stable set search_path = pg_catalog, pg_temp as $$
declare
    outcome functions_private.results;
begin
    select r.* into outcome from functions_private.results r where r.event_id = call_result.id;
    if outcome.status <> 'succeeded' then
        raise exception '%', outcome.error_message using errcode = 'external_routine_exception', detail = outcome.error_code;
    end if;
    return outcome.result;
end
$$;
comment on function functions_private.call_result(uuid) is 'What a function that was called returned; raises what it failed with.';
revoke all on function functions_private.call_result(uuid) from public;
