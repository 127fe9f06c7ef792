-- functions_private.call_result(id) -> the value that the function returned; raises the error with which it failed.
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
comment on function functions_private.call_result(uuid) is 'The value that a called function returned; raises its error.';
revoke all on function functions_private.call_result(uuid) from public;
