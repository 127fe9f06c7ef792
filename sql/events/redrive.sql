-- functions.redrive(filter default '{}') -> how many dead letters are tried again, with all their attempts
-- The filter's members must all match: id, function, trigger, error_code, since and until (of died_at). '{}' is every dead letter.
-- A dead letter whose condition failed is not delivered: a sidecar evaluates the condition again, as the trigger defines it now
-- (functions_private.end_condition).
create or replace function functions.redrive(dead_letter_filter jsonb default '{}') returns bigint
language plpgsql set search_path = pg_catalog, functions, pg_temp as $$
declare
    moved bigint;
    asked bigint;
begin
    perform functions_private.validate_dead_letter_filter(dead_letter_filter);
    update functions_private.dead_letters l set asked_again = true
    where l.condition_rows is not null and functions_private.dead_letter_matches(l, dead_letter_filter);
    get diagnostics asked = row_count;
    if asked > 0 then
        perform pg_notify('functions_events', 'backfills');
    end if;
    -- Locked before the days are read: none of them can be dropped from here on.
    lock table only functions_private.events in row exclusive mode;
    perform functions_private.make_partition('events', d) from (
        select distinct (l.occurred_at at time zone 'UTC')::date as d from functions_private.dead_letters l
        where l.condition_rows is null and functions_private.dead_letter_matches(l, dead_letter_filter)) days;
    with taken as (
        delete from functions_private.dead_letters l where l.condition_rows is null
            and functions_private.dead_letter_matches(l, dead_letter_filter) returning l.*
    ), kept as ( -- the event's day may have been dropped
        insert into functions_private.events (id, occurred_at, kind, function, trigger, payload, caller, depth)
        select t.event_id, t.occurred_at, t.kind, t.function, t.trigger, t.payload, t.caller, 0 from taken t
        on conflict (occurred_at, id) do update set depth = 0
    )
    insert into functions_private.deliveries (event_id, occurred_at, function, trigger_id)
    select t.event_id, t.occurred_at, t.function, t.trigger_id from taken t
    on conflict do nothing;
    get diagnostics moved = row_count;
    perform pg_notify('functions_events', 'deliveries');
    return moved + asked;
end
$$;
comment on function functions.redrive(jsonb) is
    'Delivers dead letters again, with all their attempts; returns how many. Filter members: id, function, trigger, error_code, since, '
    'until; ''{}'' matches all.';
revoke all on function functions.redrive(jsonb) from public;
