-- Schedules: which functions run at which times, and how each run ended.

-- Of events whose source sets them; null: the trigger's, else the function's.
alter table functions_private.events add column retries smallint, add column timeout_ms integer;

create table functions_private.schedules (
    name           text primary key check (name ~ '^[a-z][a-z0-9_-]{0,63}$'),
    function       text not null references functions_private.functions (name),
    cron           text,                -- as it was written; null: once, at run_at
    expressions    text[],              -- the same for Cronos: it fires at the times of any of them
    keeps_interval boolean not null default false, -- whether it fires in both of two hours that have the same time
    run_at         timestamptz,
    time_zone      text not null default 'UTC',
    payload        jsonb,
    role           text,                -- null: the option of the function
    catch_up       text not null default 'none' check (catch_up in ('none', 'last', 'all')),
    catch_up_window_seconds integer not null default 60, -- a time that is longer ago is missed
    overlap        text not null default 'skip' check (overlap in ('skip', 'queue', 'cancel')),
    jitter_seconds integer not null default 0,
    jitter         interval not null default '0', -- this schedule's share of jitter_seconds, always the same
    retries        smallint,
    timeout_ms     integer,
    starts_at      timestamptz,
    ends_at        timestamptz,
    enabled        boolean not null default true,
    held           boolean not null default false, -- in a copy of the database, until functions.adopt
    version        bigint not null default 1, -- of the definition: a sidecar that has read an older one fires nothing
    next_time      timestamptz,         -- the next time by the clock of its time zone; null: there is none
    next_run_at    timestamptz,         -- when it fires then: next_time and the jitter
    created_at     timestamptz not null default now(),
    updated_at     timestamptz not null default now(),
    check (num_nonnulls(cron, run_at) = 1)
) with (fillfactor = 80, autovacuum_vacuum_scale_factor = 0.02, autovacuum_vacuum_cost_delay = 0);
-- What the sidecars ask for: the schedules that are due, and when the next one will be.
create index schedules_due on functions_private.schedules (next_run_at) where enabled and not held;
create index on functions_private.schedules (function);

-- One row for each time at which a schedule was due, written together with its event. Not tied to the schedule's row by a key: the record
-- stays when a schedule is dropped, and recording how a run ended never waits for somebody who changes the schedule.
create table functions_private.schedule_runs (
    schedule       text not null,
    scheduled_time timestamptz not null,
    function       text not null,
    cause          text not null check (cause in ('time', 'catch_up', 'manual')),
    status         text not null check (status in ('pending', 'succeeded', 'failed', 'skipped', 'missed', 'cancelled')),
    reason         text,                -- why it was skipped, missed or cancelled
    times          integer not null default 1, -- how many missed times the row stands for: this one and those after it
    event_id       uuid,
    due_at         timestamptz not null, -- scheduled_time and the jitter
    fired_at       timestamptz not null,
    started_at     timestamptz,         -- of the first attempt
    finished_at    timestamptz,
    attempts       smallint not null default 0,
    error_code     text,
    error_message  text,
    primary key (schedule, scheduled_time)
) with (fillfactor = 80);
create unique index schedule_runs_event on functions_private.schedule_runs (event_id) where event_id is not null;
create index schedule_runs_open on functions_private.schedule_runs (schedule) where finished_at is null;
create index schedule_runs_expiry on functions_private.schedule_runs (fired_at);

-- What is known of a schedule's runs when their rows have expired.
create table functions_private.schedule_states (
    schedule             text primary key,
    last_time            timestamptz,   -- scheduled_time of the run that ended last
    last_status          text,
    last_lateness_ms     double precision,
    last_success_at      timestamptz,
    consecutive_failures integer not null default 0
) with (fillfactor = 70);
