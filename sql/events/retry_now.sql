-- functions.retry_now(filter) -> how many events that wait for their next attempt are now retried at once
-- Members of the filter: id, function, trigger; '{}' is every event that has failed or could not be started. The number of
-- attempts is unchanged. Invocations that are scheduled for later (run_at, delay_ms) keep their time.
create or replace function functions.retry_now(filter jsonb default '{}') returns bigint
language plpgsql set search_path = pg_catalog, functions, pg_temp as $$
declare
    changed bigint;
begin
    perform functions_private.validate_filter(filter, '{id,function,trigger}',
        '{"function": "send_welcome"}; {} is every event that waits for another attempt.');
    update functions_private.deliveries d set run_at = now()
    where d.claimed_by is null and d.last_error is not null and d.run_at > now()
      and (filter ->> 'id' is null or d.event_id = (filter ->> 'id')::uuid)
      and (filter ->> 'function' is null or d.function = filter ->> 'function')
      and (filter ->> 'trigger' is null
          or d.trigger_id = (select t.id from functions_private.triggers t where t.name = filter ->> 'trigger'));
    get diagnostics changed = row_count;
    perform pg_notify('functions_events', 'deliveries');
    return changed;
end
$$;
comment on function functions.retry_now(jsonb) is
    'Retries events that wait for their next attempt at once; returns how many. Filter members: id, function, trigger; ''{}'' matches all.';
revoke all on function functions.retry_now(jsonb) from public;
