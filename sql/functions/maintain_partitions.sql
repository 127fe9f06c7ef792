-- functions.maintain_partitions(retention) -> how many partitions were made or dropped
-- Makes the partitions of functions_private.invocations, .logs and .events from yesterday to three days ahead (UTC days) and drops those that
-- ended more than `retention` ago; a day with events that are still to be delivered stays. Results and idempotency keys of that age go as well.
-- Cheap when there is nothing to do; several sidecars may call it at once.
create or replace function functions.maintain_partitions(retention interval default '7 days') returns integer
language plpgsql set search_path = pg_catalog, functions, pg_temp as $$
declare
    parent text;
    expired text;
    today date := (now() at time zone 'UTC')::date;
    oldest date := ((now() - retention) at time zone 'UTC')::date;
    changed integer;
begin
    if retention is null or retention < interval '1 day' then
        raise exception 'retention must be at least one day, not %', coalesce(retention::text, 'null') using errcode = 'invalid_parameter_value';
    end if;

    select count(*) filter (where functions_private.make_partition(p, today + ahead)) into changed
    from unnest(array['invocations', 'logs', 'events']) p, generate_series(-1, 3) ahead;

    foreach parent in array array['invocations', 'logs', 'events'] loop
        for expired in
            select c.relname from pg_inherits i join pg_class c on c.oid = i.inhrelid
            where i.inhparent = ('functions_private.' || parent)::regclass
              and c.relname ~ '_[0-9]{8}$' and to_date(right(c.relname, 8), 'YYYYMMDD') < oldest
              and (parent <> 'events' or not exists (
                  select from functions_private.deliveries d
                  where (d.occurred_at at time zone 'UTC')::date = to_date(right(c.relname, 8), 'YYYYMMDD')))
        loop
            execute format('drop table if exists functions_private.%I', expired);
            changed := changed + 1;
        end loop;
    end loop;
    delete from functions_private.results r where r.finished_at < now() - retention;
    delete from functions_private.idempotency_keys k where k.created_at < now() - retention;
    return changed;
end
$$;
comment on function functions.maintain_partitions(interval) is
    'Makes the next days'' partitions of invocations, logs and events and drops those older than the retention. The sidecar calls it every hour.';
revoke all on function functions.maintain_partitions(interval) from public;
