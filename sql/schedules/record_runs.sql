-- functions_private.record_runs(schedules, times, causes, counts, moment, sidecar, takes) -> how many runs: fired, skipped, missed,
-- cancelled; and the ids of the events that are assigned to the sidecar
-- Records one run for each element of the arrays, together with its event and delivery. The caller has locked the rows of the schedules, so
-- nobody else records a run of theirs meanwhile. A run that is recorded already is left as it is.
--   moment  the time at which the runs are fired
--   causes  time, catch_up, manual, or missed: no event, for one or more (counts) times from that one on
--   sidecar, takes  assigns the delivery of a run to this sidecar, which has reserved capacity for it, so that it need not be claimed; not
--           where the run may have to wait for another one (overlap: queue)
-- What the option overlap says is decided here. The event's id is a UUID of version 8 (RFC 9562) of the time in milliseconds and a hash:
-- the same run always has the same id, and ids sort by time.
create or replace function functions_private.record_runs(
    schedules text[], times timestamptz[], causes text[], counts integer[], moment timestamptz default clock_timestamp(),
    sidecar uuid default null, takes boolean[] default null,
    out fired integer, out skipped integer, out missed integer, out cancelled integer, out taken uuid[])
language plpgsql set search_path = pg_catalog, pg_temp as $$
declare
    most_waiting constant integer := 1000; -- of one schedule, with overlap queue
    rfc3339 constant text := 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"';
    moment_text text := replace(to_char(moment at time zone 'UTC', rfc3339), '.000Z', 'Z');
begin
    cancelled := functions_private.cancel_runs(array(
        select s.name from unnest(schedules, causes) g (name, cause) join functions_private.schedules s on s.name = g.name
        where s.overlap = 'cancel' and g.cause <> 'missed'));
    -- One pass without joins of its results and without calls of our own functions: a thousand schedules may be due at one second.
    with decided as materialized (
        select s.*, g.time, g.cause, g.times, case when g.takes and s.overlap <> 'queue' then record_runs.sidecar end as taken_by, case
            when g.cause = 'missed' then 'missed'
            when s.overlap = 'skip' and waiting.n > 0 then 'skipped'
            when s.overlap = 'queue' and waiting.n + row_number() over (partition by s.name order by g.time) > most_waiting then 'skipped'
            else 'pending' end as status,
            (substr(encode(int8send((extract(epoch from g.time) * 1000)::bigint), 'hex'), 5)
                || '8' || substr(encode(int8send(hashtextextended(s.name, (extract(epoch from g.time) * 1000000)::bigint)), 'hex'), 1, 3)
                || '8' || substr(encode(int8send(hashtextextended(s.name, (extract(epoch from g.time) * -1000000)::bigint)), 'hex'), 1, 15)
                )::uuid as event_id
        from unnest(schedules, record_runs.times, causes, counts, record_runs.takes) g (name, time, cause, times, takes)
        -- offset 0: each is looked up by its key; as a join, the planner may compare every due schedule with every one.
        cross join lateral (select * from functions_private.schedules s where s.name = g.name offset 0) s
        cross join lateral (
            select count(*) as n from (
                select from functions_private.schedule_runs r join functions_private.deliveries d on d.event_id = r.event_id
                where g.cause <> 'missed' and r.schedule = s.name and r.finished_at is null
                limit case s.overlap when 'queue' then most_waiting else 1 end) w) waiting
        -- By the limit it is looked up for each; as an anti join, the planner may read the whole record.
        where (select true from functions_private.schedule_runs r where r.schedule = s.name and r.scheduled_time = g.time limit 1) is null
    ), recorded as (
        insert into functions_private.schedule_runs
            (schedule, scheduled_time, function, cause, status, reason, times, event_id, due_at, fired_at, finished_at)
        select d.name, d.time, d.function, case d.cause when 'missed' then 'time' else d.cause end, d.status,
            case d.status
                when 'skipped' then case d.overlap when 'skip' then 'The previous run had not ended (overlap: skip).'
                    else format('%s runs waited already (overlap: queue).', most_waiting) end
                when 'missed' then format('No sidecar fired it within %s s, or a newer time had come (catch_up: %s).',
                    d.catch_up_window_seconds, d.catch_up)
                end,
            d.times, case d.status when 'pending' then d.event_id end,
            d.time + case d.cause when 'manual' then interval '0' else d.jitter end, moment,
            case when d.status <> 'pending' then moment end
        from decided d
    ), stored as (
        insert into functions_private.events (id, occurred_at, kind, function, trigger, payload, caller, retries, timeout_ms)
        select d.event_id, moment, 'schedule', d.function, d.name,
            json_build_object('trigger', 'schedule', 'event_id', d.event_id, 'schedule', d.name, 'cron', d.cron,
                'scheduled_time', replace(to_char(d.time at time zone 'UTC', rfc3339), '.000Z', 'Z'), 'actual_time', moment_text,
                'time_zone', d.time_zone, 'cause', d.cause, 'payload', d.payload),
            json_build_object('role', coalesce(d.role, 'anon'), 'fixed', d.role is not null), d.retries, d.timeout_ms
        from decided d where d.status = 'pending'
    ), delivered as (
        insert into functions_private.deliveries (event_id, occurred_at, function, order_key, claimed_by, claims)
        select d.event_id, moment, d.function, case d.overlap when 'queue' then hashtextextended('schedule ' || d.name, 0) end,
            d.taken_by, (d.taken_by is not null)::integer
        from decided d where d.status = 'pending'
        on conflict do nothing
        returning event_id, claimed_by
    )
    select count(*) filter (where d.status = 'pending'), count(*) filter (where d.status = 'skipped'),
        coalesce(sum(d.times) filter (where d.status = 'missed'), 0), array(select event_id from delivered where claimed_by is not null)
    into fired, skipped, missed, taken from decided d;
    if fired > cardinality(taken) then
        perform pg_notify('functions_events', 'deliveries');
    end if;
end
$$;
comment on function functions_private.record_runs(text[], timestamptz[], text[], integer[], timestamptz, uuid, boolean[]) is
    'Records runs of schedules together with their events and deliveries; returns how many were fired, skipped, missed and cancelled.';
revoke all on function functions_private.record_runs(text[], timestamptz[], text[], integer[], timestamptz, uuid, boolean[]) from public;
