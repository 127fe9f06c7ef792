-- functions.retry_now(filter) -> how many events that wait for another attempt are tried at once instead of after their pause
-- Members of the filter: id, function, trigger; '{}' is every event that has failed or could not be started. Attempts are counted as before.
-- Invocations that were asked for at a later time (run_at, delay_ms) keep their time.
create or replace function functions.retry_now(filter jsonb default '{}') returns bigint
language plpgsql set search_path = pg_catalog, functions, pg_temp as $$
declare
    unknown text;
    hastened bigint;
begin
    if jsonb_typeof(filter) is distinct from 'object' then
        raise exception 'the filter must be a JSON object, not %', coalesce(jsonb_typeof(filter), 'null') using errcode = 'invalid_parameter_value',
            hint = 'For example: {"function": "send_welcome"}; {} is every event that waits for another attempt.';
    end if;
    select k into unknown from jsonb_object_keys(filter) k where k not in ('id', 'function', 'trigger') limit 1;
    if found then
        raise exception 'unknown member % of the filter', to_json(unknown) using errcode = 'invalid_parameter_value',
            hint = 'The members are id, function, trigger.';
    end if;
    update functions_private.deliveries d set run_at = now()
    where d.claimed_by is null and d.last_error is not null and d.run_at > now()
      and (filter ->> 'id' is null or d.event_id = (filter ->> 'id')::uuid)
      and (filter ->> 'function' is null or d.function = filter ->> 'function')
      and (filter ->> 'trigger' is null or d.trigger_id = (select t.id from functions_private.triggers t where t.name = filter ->> 'trigger'));
    get diagnostics hastened = row_count;
    perform pg_notify('functions_events', 'deliveries');
    return hastened;
end
$$;
comment on function functions.retry_now(jsonb) is
    'Tries events that wait for another attempt at once. Filter by id, function, trigger; ''{}'' is every one. Returns how many.';
revoke all on function functions.retry_now(jsonb) from public;
