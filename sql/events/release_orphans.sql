-- functions_private.release_orphans(sidecar) -> how many deliveries
-- Releases deliveries of sidecars without a heartbeat for 15 seconds, and makes dead letters of deliveries whose function was dropped. A
-- sidecar that comes back is fenced: every claim has its own number.
create or replace function functions_private.release_orphans(sidecar uuid) returns integer
language plpgsql set search_path = pg_catalog, pg_temp as $$
declare
    released integer;
    dead integer;
begin
    update functions_private.deliveries d set claimed_by = null
    where d.claimed_by is not null and d.claimed_by <> sidecar
      and not exists (select from functions_private.sidecars s where s.id = d.claimed_by and s.seen_at > now() - interval '15 seconds');
    get diagnostics released = row_count;

    with gone as (
        delete from functions_private.deliveries d
        where d.claimed_by is null and not exists (select from functions_private.functions f where f.name = d.function)
        returning d.event_id, d.occurred_at, d.trigger_id, d.attempts
    )
    insert into functions_private.dead_letters (event_id, occurred_at, kind, function, trigger, trigger_id, payload, caller, depth,
        attempts, error_code, error_message)
    select e.id, e.occurred_at, e.kind, e.function, e.trigger, g.trigger_id, e.payload, e.caller, e.depth, greatest(g.attempts, 0),
        'FUNCTION_NOT_FOUND',
           format('The function %s was dropped before the event was delivered.', to_json(e.function))
    from gone g join functions_private.events e on e.occurred_at = g.occurred_at and e.id = g.event_id
    on conflict (event_id) do nothing;
    get diagnostics dead = row_count;
    return released + dead;
end
$$;
comment on function functions_private.release_orphans(uuid) is
    'Releases deliveries of sidecars that are gone; makes dead letters of deliveries whose function was dropped.';
revoke all on function functions_private.release_orphans(uuid) from public;
