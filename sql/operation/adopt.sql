-- functions.adopt(what) -> how many events. Events that waited in the original when this database was copied from it are held. This decides
-- about them, about the schedules, which do not run in a copy before, about the queues, which are not consumed, and about what costs or
-- changes something outside the database (buckets in S3, providers of models), which is not used:
--   deliver  they are delivered here, the schedules run, queues are consumed, and buckets and providers are used (the database was moved:
--            the original is gone)
--   discard  they are deleted, the schedules are disabled, and no queue is consumed; messages stay (the original still does all of it).
--            Buckets in S3 and providers stay held until they are set again
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
        raise exception 'adopt takes deliver or discard, not %', coalesce(to_json(what)::text, 'null')
            using errcode = 'invalid_parameter_value',
            hint = 'deliver: the original is gone, its events are delivered here. discard: the original still delivers them.';
    end if;
    update functions_private.schedules s set held = false, enabled = s.enabled and what = 'deliver', version = s.version + 1 where s.held;
    if what = 'discard' then
        perform functions.stop_consuming(c.queue) from functions_private.queue_consumers c where c.held;
    end if;
    update functions_private.queue_consumers c set held = false where c.held;
    perform pg_notify('functions_buckets', b.name) from functions_private.buckets b where b.held;
    update functions_private.buckets b set held = false where b.held and what = 'deliver';
    update functions_private.ai_providers p set held = false, updated_at = clock_timestamp() where p.held and what = 'deliver';
    perform pg_notify('functions_ai', 'all');
    perform pg_notify('functions_queues', '');
    perform pg_notify('functions_schedules', 'changed');
    perform pg_notify('functions_events', 'deliveries');
    return adopted;
end
$$;
comment on function functions.adopt(text) is
    'In a copy of a database: delivers or discards the events that waited in the original (''deliver'' or ''discard''), and runs or disables '
    'its schedules and consumers of queues; ''deliver'' also releases its buckets in S3 and its providers of models.';
revoke all on function functions.adopt(text) from public;
