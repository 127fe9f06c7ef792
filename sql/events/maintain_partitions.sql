-- functions.maintain_partitions(retention) -> how many partitions were created or dropped
-- Creates the partitions of functions_private.invocations, .logs, .ai_calls and .events from yesterday to three days ahead (UTC days).
-- Drops those that ended more than `retention` ago. A day with undelivered events is kept; a day that is being read is kept until the next
-- call. Removes results and idempotency keys of that age as well. Cheap when there is nothing to do; several sidecars may call it at once.
create or replace function functions.maintain_partitions(retention interval default '7 days') returns integer
language plpgsql set search_path = pg_catalog, functions, pg_temp as $$
declare
    parent text;
    expired date;
    today date := (now() at time zone 'UTC')::date;
    oldest date := ((now() - retention) at time zone 'UTC')::date;
    changed integer;
begin
    if retention is null or retention < interval '1 day' then
        raise exception 'retention must be at least one day, not %', coalesce(retention::text, 'null')
            using errcode = 'invalid_parameter_value';
    end if;

    select count(*) filter (where functions_private.make_partition(p, today + ahead)) into changed
    from unnest(array['invocations', 'logs', 'ai_calls', 'events']) p, generate_series(-1, 3) ahead;

    delete from functions_private.results r where r.finished_at < now() - retention;
    delete from functions_private.idempotency_keys k where k.created_at < now() - retention;

    -- At the end, because from the first drop until the commit no other session can read or write the table.
    foreach parent in array array['invocations', 'logs', 'ai_calls', 'events'] loop
        for expired in
            select p.day from pg_inherits i join pg_class c on c.oid = i.inhrelid, to_date(right(c.relname, 8), 'YYYYMMDD') p (day)
            where i.inhparent = ('functions_private.' || parent)::regclass and c.relname ~ '_[0-9]{8}$' and p.day < oldest
              and (parent <> 'events' or not exists (
                  select from (select h.occurred_at from functions_private.held_deliveries h
                      union all select d.occurred_at from functions_private.deliveries d) d
                      where (d.occurred_at at time zone 'UTC')::date = p.day))
            order by p.day
        loop
            exit when not functions_private.drop_partition(parent, expired, '200 ms');
            changed := changed + 1;
        end loop;
    end loop;
    return changed;
end
$$;
comment on function functions.maintain_partitions(interval) is
    'Creates partitions of invocations, logs, ai_calls and events for the next days, drops expired ones; returns how many. The sidecar '
    'calls it hourly.';
revoke all on function functions.maintain_partitions(interval) from public;
