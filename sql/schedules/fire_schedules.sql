-- functions_private.fire_schedules(due_at, schedules, versions, next_times, following, run_schedules, run_times, run_causes, run_counts,
-- early, sidecar, run_takes) -> the schedules that have advanced, when, and how many runs: fired, skipped, missed, cancelled; and the
-- deliveries that are assigned to the sidecar, in arrays with one element for each
-- Records the runs that a sidecar has found due, and the time that follows. Only of schedules that are still as the sidecar has read them:
-- of several sidecars the first one fires, and the others find that the time is over. Nothing is locked before, so a sidecar that freezes
-- holds nothing up. A schedule that somebody is changing is left to the next call. due_at is the time that the sidecar has waited for; the
-- rest until then is waited here, at most 0.1 s, so that no schedule fires early however exact the sidecar's timers are.
-- With early, at most 0.5 s before due_at, everything is recorded first, and the rest of the time is waited afterwards, so that at due_at
-- only the commit is left. Until then the schedules are locked: a change of one takes effect after the run. A schedule with a run that has
-- not ended is left to a call without early, because what its option overlap says is decided by whether that run has ended at due_at.
create or replace function functions_private.fire_schedules(
    due_at timestamptz, schedules text[], versions bigint[], next_times timestamptz[], following timestamptz[],
    run_schedules text[], run_times timestamptz[], run_causes text[], run_counts integer[], early boolean default false,
    sidecar uuid default null, run_takes boolean[] default null,
    out advanced text[], out fired_at timestamptz, out fired integer, out skipped integer, out missed integer, out cancelled integer,
    out taken uuid[], out functions text[], out payloads text[], out callers text[], out retries smallint[], out timeouts integer[])
language plpgsql set search_path = pg_catalog, pg_temp as $$
begin
    if early and due_at > clock_timestamp() + interval '0.5 s' then
        -- The server's clock was set back.
        select '{}', clock_timestamp(), 0, 0, 0, 0 into advanced, fired_at, fired, skipped, missed, cancelled;
        return;
    elsif not early and due_at > clock_timestamp() then
        perform pg_sleep(least(extract(epoch from due_at - clock_timestamp()), 0.1));
    end if;
    fired_at := case when early then greatest(due_at, clock_timestamp()) else clock_timestamp() end;
    with due as materialized (
        select s.name, g.following
        from unnest(schedules, versions, next_times, fire_schedules.following) g (name, version, next_time, following)
        -- each looked up by its key, however many there are
        cross join lateral (
            select s.name from functions_private.schedules s
            where s.name = g.name and s.enabled and not s.held and s.version = g.version and s.next_time = g.next_time
              and s.next_run_at <= fired_at
              and not (early and exists (
                  select from functions_private.schedule_runs r where r.schedule = s.name and r.finished_at is null))
            for update skip locked) s
    ), moved as (
        update functions_private.schedules s set next_time = d.following, next_run_at = d.following + s.jitter
        from due d where s.name = d.name
        returning s.name
    )
    select coalesce(array_agg(m.name), '{}') into advanced from moved m;
    select r.* into fired, skipped, missed, cancelled, taken
    from (select array_agg(g.name) as names, array_agg(g.time) as times, array_agg(g.cause) as causes, array_agg(g.n) as counts,
                 array_agg(g.takes) as takes
          from unnest(run_schedules, run_times, run_causes, run_counts, run_takes) g (name, time, cause, n, takes)
          join unnest(advanced) a on a = g.name) w
    cross join lateral functions_private.record_runs(w.names, w.times, w.causes, w.counts, fired_at, sidecar, w.takes) r;
    select array_agg(d.event_id), array_agg(d.function), array_agg(e.payload::text), array_agg(e.caller::text), array_agg(e.retries),
        array_agg(e.timeout_ms)
    into taken, functions, payloads, callers, retries, timeouts
    from unnest(taken) t (id)
    cross join lateral (select * from functions_private.deliveries d where d.event_id = t.id offset 0) d
    cross join lateral (select * from functions_private.events e where e.occurred_at = d.occurred_at and e.id = d.event_id offset 0) e;
    if early then
        while clock_timestamp() < due_at loop
            perform pg_sleep(extract(epoch from due_at - clock_timestamp()));
        end loop;
        fired_at := clock_timestamp();
    end if;
end
$$;
comment on function functions_private.fire_schedules(timestamptz, text[], bigint[], timestamptz[], timestamptz[], text[], timestamptz[],
    text[], integer[], boolean, uuid, boolean[]) is
    'Records the runs of schedules that a sidecar has found due, unless another one has; returns how many, and its deliveries.';
revoke all on function functions_private.fire_schedules(timestamptz, text[], bigint[], timestamptz[], timestamptz[], text[], timestamptz[],
    text[], integer[], boolean, uuid, boolean[]) from public;
