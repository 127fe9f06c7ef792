-- Queues: which functions consume which queues, and which messages are being delivered. The messages are in the tables of the schema pgmq.

create table functions_private.queue_consumers (
    queue               text primary key,    -- as in pgmq.meta
    function            text not null references functions_private.functions (name),
    role                text,                -- null: the option of the function
    batch_size          integer not null,
    batch_timeout_ms    integer not null,    -- how long a batch waits for more messages
    max_retries         integer not null,
    retry_delay_seconds integer not null,    -- doubled with each attempt
    max_retry_delay_seconds integer not null,
    dead_letter_queue   text,                -- null: dead messages go to the queue's archive
    concurrency         integer,             -- batches at once, in all sidecars together; null: as many as there is capacity for
    visibility_seconds  integer not null,
    ordered             boolean not null,    -- by group: one batch of a group at a time
    archive             boolean not null,    -- acknowledged messages are kept in the archive
    held                boolean not null default false, -- in a copy of the database, until functions.adopt
    created_at          timestamptz not null default now(),
    updated_at          timestamptz not null default now()
);
create index on functions_private.queue_consumers (function);

-- The leases: one row per batch that a sidecar delivers. A sidecar finishes only batches whose row exists, and of these only messages whose
-- read_ct is still the recorded one.
create table functions_private.queue_batches (
    id         uuid primary key,
    queue      text not null,
    sidecar    uuid not null,
    msg_ids    bigint[] not null,
    read_cts   integer[] not null,
    until      timestamptz not null,
    started_at timestamptz not null default clock_timestamp()
) with (fillfactor = 70, autovacuum_vacuum_scale_factor = 0.02, autovacuum_vacuum_cost_delay = 0);
create index on functions_private.queue_batches (queue);

-- Sidecars that wait for messages of a queue: only then is a sent message worth a notification.
create unlogged table functions_private.queue_waits (
    queue   text not null,
    sidecar uuid not null,
    primary key (queue, sidecar)
) with (fillfactor = 50);

-- How many messages were delivered, retried and given up in each minute.
create table functions_private.queue_counts (
    queue     text not null,
    minute    timestamptz not null,
    delivered bigint not null default 0,
    retried   bigint not null default 0,
    dead      bigint not null default 0,
    primary key (queue, minute)
) with (fillfactor = 70);
