-- functions_private.end_condition(event, holds, error) records the outcome of evaluating a dead letter's condition again. If it holds, the
-- event is delivered. If it does not, the event is removed, as at a first evaluation. If it failed again, the dead letter stays, with the
-- new error.
create or replace function functions_private.end_condition(event uuid, holds boolean, error text) returns void
language plpgsql set search_path = pg_catalog, pg_temp as $$
begin
    if error is not null then
        update functions_private.dead_letters l set asked_again = false, error_message = error, died_at = now() where l.event_id = event;
    elsif holds then
        update functions_private.dead_letters l set condition_rows = null, asked_again = false where l.event_id = event;
        perform functions.redrive(jsonb_build_object('id', event));
    else
        delete from functions_private.events e using functions_private.dead_letters l
        where l.event_id = event and e.id = event and e.occurred_at = l.occurred_at;
        delete from functions_private.dead_letters l where l.event_id = event;
    end if;
end
$$;
comment on function functions_private.end_condition(uuid, boolean, text) is
    'Records the outcome of evaluating the condition of a dead letter again.';
revoke all on function functions_private.end_condition(uuid, boolean, text) from public;
