-- functions_private.call_is_pending(id) -> whether there is no result yet. Polls for up to half a second. Raises query_canceled five
-- minutes after the call.
create or replace function functions_private.call_is_pending(id uuid) returns boolean
language plpgsql volatile set search_path = pg_catalog, pg_temp as $$
declare
    pause double precision := 0.001;
    until timestamptz := clock_timestamp() + interval '500 milliseconds';
    began timestamptz;
begin
    loop
        perform from functions_private.results r where r.event_id = call_is_pending.id;
        if found then
            return false;
        end if;
        exit when clock_timestamp() > until;
        perform pg_sleep(pause);
        pause := least(pause * 1.5, 0.1);
    end loop;
    select e.occurred_at into began from functions_private.events e where e.id = call_is_pending.id;
    if clock_timestamp() > began + interval '5 minutes' then
        raise exception 'The function gave no result within 5 minutes.' using errcode = 'query_canceled',
            hint = case when exists (select from functions.sidecars s where s.alive)
                then format('It may still come: select * from functions.results where id = %L;', id)
                else 'No sidecar serves this database at the moment. Start one with its DATABASE_URL.' end;
    end if;
    return true;
end
$$;
comment on function functions_private.call_is_pending(uuid) is 'Whether a call has no result yet; waits up to half a second for it.';
revoke all on function functions_private.call_is_pending(uuid) from public;
