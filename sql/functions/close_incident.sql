-- functions.close_incident(id): what an incident told of has been seen to (backfilled, or accepted).
create or replace function functions.close_incident(id bigint) returns void
language plpgsql set search_path = pg_catalog, functions, pg_temp as $$
begin
    update functions_private.incidents i set closed_at = coalesce(i.closed_at, now()) where i.id = close_incident.id;
    if not found then
        raise exception 'There is no incident %.', coalesce(close_incident.id::text, 'null') using errcode = 'undefined_object', hint = 'select * from functions.incidents;';
    end if;
    perform pg_notify('functions_events', 'triggers');
end
$$;
comment on function functions.close_incident(bigint) is 'Closes an incident: what it told of has been seen to.';
revoke all on function functions.close_incident(bigint) from public;
