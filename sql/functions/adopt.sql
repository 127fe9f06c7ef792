-- functions.adopt(what) -> how many events. What waited in the original when this database was copied from it is held; this lets go of it:
--   deliver  it is delivered here (the database was moved: the original is gone)
--   discard  it is thrown away (the original still delivers it)
create or replace function functions.adopt(what text) returns bigint
language plpgsql set search_path = pg_catalog, functions, pg_temp as $$
declare
    adopted bigint;
begin
    lock table functions_private.held_deliveries in share row exclusive mode;
    adopted := (select count(*) from functions_private.held_deliveries);
    if what = 'deliver' then
        with released as (delete from functions_private.held_deliveries h returning h.*)
        insert into functions_private.deliveries (event_id, occurred_at, function, trigger_id, order_key, run_at, attempts, last_error)
        select r.event_id, r.occurred_at, r.function, r.trigger_id, r.order_key, r.run_at, r.attempts, r.last_error from released r
        on conflict (event_id) do nothing;
    elsif what = 'discard' then
        with discarded as (delete from functions_private.held_deliveries h returning h.*)
        insert into functions_private.results (event_id, function, status, error_code, error_message)
        select d.event_id, d.function, 'failed', 'DISCARDED', 'The database was copied, and what waited then was discarded in the copy.'
        from discarded d join functions_private.events e on e.occurred_at = d.occurred_at and e.id = d.event_id and e.kind = 'invoke'
        on conflict (event_id) do nothing;
    else
        raise exception 'adopt takes deliver or discard, not %', coalesce(to_json(what)::text, 'null') using errcode = 'invalid_parameter_value';
    end if;
    perform pg_notify('functions_events', 'deliveries');
    return adopted;
end
$$;
comment on function functions.adopt(text) is 'In a copy of a database: delivers or discards what waited in the original. ''deliver'' or ''discard''.';
revoke all on function functions.adopt(text) from public;
