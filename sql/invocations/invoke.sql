-- functions.invoke(function, payload, options) -> the event's id
-- Runs a function after this transaction has committed, at least once, as the caller (functions_private.caller()). Raises at once when
-- the function does not exist.
--   run_at (a timestamp) or delay_ms 0-31536000000: not before then
--   idempotency_key: only the first of several calls with the same key has an effect; the others return its id (kept as long as events are)
--   role: the role to run as (only for owners of the installation)
-- The function gets {"trigger": "invoke", "payload": ..., "event_id", "timestamp", "attempt"}; what it returns is in functions.results.
create or replace function functions.invoke(function text, payload jsonb default '{}', options jsonb default '{}') returns uuid
language plpgsql security definer set search_path = pg_catalog, functions, pg_temp as $$
declare
    new_id uuid := gen_random_uuid();
    existing uuid;
    run_at timestamptz;
    caller jsonb := functions_private.caller();
begin
    if options is distinct from '{}' then
        perform functions_private.check_options(options,
            '{"run_at": "other", "delay_ms": [0, 31536000000], "idempotency_key": "text", "role": "other"}',
            meant => '{"delay_ms": ["delay", "delayseconds"]}');
    end if;
    if not exists (select from functions_private.functions f where f.name = invoke.function) then
        perform functions_private.raise_missing('function', function, array(select f.name from functions_private.functions f));
    end if;
    if options ->> 'run_at' is not null and options ->> 'delay_ms' is not null then
        raise exception 'options run_at and delay_ms exclude each other' using errcode = 'invalid_parameter_value';
    end if;
    if octet_length(payload::text) > 10 * 1024 * 1024 then
        raise exception 'payload has % bytes; 10 MiB is the most', octet_length(payload::text) using errcode = 'program_limit_exceeded';
    end if;
    begin
        run_at := (options ->> 'run_at')::timestamptz;
    exception when data_exception then
        raise exception 'option run_at is not a time: %', left((options -> 'run_at')::text, 60) using errcode = 'invalid_parameter_value',
            hint = 'For example: "2026-02-06 09:00+00".';
    end;
    run_at := coalesce(run_at, now() + (options ->> 'delay_ms')::bigint * interval '1 millisecond', now());
    if options ->> 'role' is not null then
        -- Not session_user alone: inside a security definer function any user could pass this check.
        if not pg_has_role(coalesce(nullif(current_setting('role', true), 'none'), session_user), current_user, 'usage') then
            raise exception 'option role is for the owner of the installation' using errcode = 'insufficient_privilege';
        end if;
        perform functions_private.validate_role_option(options -> 'role');
        caller := coalesce(caller - 'writer', '{}') || jsonb_build_object('role', options ->> 'role');
    end if;

    if options ->> 'idempotency_key' is not null then
        insert into functions_private.idempotency_keys (function, key, event_id)
        values (invoke.function, options ->> 'idempotency_key', new_id)
        on conflict on constraint idempotency_keys_pkey do nothing;
        if not found then
            select k.event_id into existing from functions_private.idempotency_keys k
            where k.function = invoke.function and k.key = options ->> 'idempotency_key';
            return existing;
        end if;
    end if;

    insert into functions_private.events (id, occurred_at, kind, function, payload, caller, depth)
    values (new_id, now(), 'invoke', invoke.function,
        json_build_object('trigger', 'invoke', 'event_id', new_id, 'payload', coalesce(payload, 'null'),
            'timestamp', to_char(now() at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"')),
        (caller - 'depth')::json, coalesce((caller ->> 'depth')::integer, 0));
    insert into functions_private.deliveries (event_id, occurred_at, function, run_at) values (new_id, now(), invoke.function, run_at);
    perform pg_notify('functions_events', 'deliveries');
    return new_id;
end
$$;
comment on function functions.invoke(text, jsonb, jsonb) is
    'Runs a function after the commit, at least once, as the caller; returns the event id. Options: run_at, delay_ms, idempotency_key, '
    'role.';
revoke all on function functions.invoke(text, jsonb, jsonb) from public;
grant execute on function functions.invoke(text, jsonb, jsonb) to service_role;
grant usage on schema functions to service_role;
