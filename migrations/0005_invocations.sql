-- What ran, and what it said. Both tables are partitioned by day (UTC); functions.maintain_partitions() makes and drops the days.

create table functions_private.invocations (
    id             uuid not null,
    function       text not null,
    version        integer,
    trigger        text not null,
    status         text not null,
    error_code     text,
    error_message  text,
    started_at     timestamptz not null,
    duration_ms    double precision not null,
    queue_ms       double precision not null,
    cpu_ms         double precision not null,
    memory_peak    bigint not null,
    user_id        text,
    role           text,
    request_id     text,
    trace_id       text
) partition by range (started_at);
create index on functions_private.invocations (function, started_at desc);
create index on functions_private.invocations (id);

create table functions_private.logs (
    invocation_id  uuid not null,
    function       text not null,
    seq            integer not null,
    level          text not null check (level in ('debug', 'info', 'warn', 'error')),
    source         text not null,
    message        text not null,
    logged_at      timestamptz not null
) partition by range (logged_at);
create index on functions_private.logs (function, logged_at desc);
create index on functions_private.logs (invocation_id, seq);
