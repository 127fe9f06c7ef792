-- functions.close_incident(id) closes an incident once an operator has dealt with it (backfilled the gap, or accepted it).
create or replace function functions.close_incident(id bigint) returns void
language plpgsql set search_path = pg_catalog, functions, pg_temp as $$
begin
    update functions_private.incidents i set closed_at = coalesce(i.closed_at, now()) where i.id = close_incident.id;
    if not found then
        raise exception 'There is no incident %.', coalesce(close_incident.id::text, 'null')
            using errcode = 'undefined_object', hint = 'select * from functions.incidents;';
    end if;
    perform pg_notify('functions_events', 'triggers');
end
$$;
comment on function functions.close_incident(bigint) is 'Closes an incident that has been dealt with (backfilled, or accepted).';
revoke all on function functions.close_incident(bigint) from public;
