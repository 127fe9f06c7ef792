-- Durable events: what fires functions, what waits to be delivered, and what could not be.

-- Events are written once and never updated; a day is dropped as a whole. The id sorts in the order of commits (docs/triggers.md).
-- There is no index by function: it took a fifth of the time of storing an event, and only a person's own search used it.
create table functions_private.events (
    id            uuid not null,
    occurred_at   timestamptz not null, -- of a row change: when its transaction committed, which is the same however often it is read
    kind          text not null,        -- database, invoke, schedule, webhook: the event's "trigger"
    function      text not null,
    trigger       text,
    payload       json not null,
    caller        json,                 -- {role, sub, claims}: the user whose work caused the event; null: no user of functions
    depth         smallint not null default 0, -- how many functions stand between the first cause and this event
    primary key (occurred_at, id)
) partition by range (occurred_at);

-- One narrow row for each event that is still to be delivered: the hot table. Its rows are deleted once the work is done.
create table functions_private.deliveries (
    event_id      uuid primary key,
    occurred_at   timestamptz not null,
    function      text not null,
    trigger_id    integer,
    order_key     bigint,               -- a hash; the events of a key are delivered one after another
    run_at        timestamptz not null default now(),
    attempts      smallint not null default 0, -- that have failed
    claims        integer not null default 0,  -- the fencing token: counts how often it was taken
    claimed_by    uuid,                 -- the sidecar that works on it, as long as that one lives
    xid           xid8,                 -- nobody gets it before this transaction is visible
    last_error    text
) with (fillfactor = 70, autovacuum_vacuum_scale_factor = 0.02, autovacuum_vacuum_cost_delay = 0, autovacuum_analyze_scale_factor = 0.1);
create index deliveries_unordered on functions_private.deliveries (function, run_at, event_id) where order_key is null
    and claimed_by is null;
create index deliveries_ordered on functions_private.deliveries (function, order_key, event_id) where order_key is not null;
create index deliveries_claimed on functions_private.deliveries (claimed_by) where claimed_by is not null;

-- Deliveries that waited in the original when a copy of the database was made: set aside until functions.adopt says what becomes of them.
create table functions_private.held_deliveries (like functions_private.deliveries including defaults, primary key (event_id));

create table functions_private.dead_letters (
    event_id      uuid primary key,
    occurred_at   timestamptz not null,
    kind          text not null,
    function      text not null,
    trigger       text,
    trigger_id    integer,
    payload       json not null,
    caller        json,
    depth         smallint not null default 0,
    attempts      integer not null,
    error_code    text not null,
    error_message text,
    -- of a condition that failed: the rows that it was asked about; functions.redrive has it asked again
    condition_rows json,
    asked_again   boolean not null default false,
    died_at       timestamptz not null default now()
);
create index on functions_private.dead_letters (function, died_at desc);
create index dead_letters_asked_again on functions_private.dead_letters (died_at) where asked_again;

-- How asynchronous invocations ended, for callers of functions.call and readers of functions.results.
create table functions_private.results (
    event_id      uuid primary key,
    function      text not null,
    status        text not null,
    result        json,
    error_code    text,
    error_message text,
    finished_at   timestamptz not null default now()
);
create index on functions_private.results (finished_at);

create table functions_private.idempotency_keys (
    function      text not null references functions_private.functions (name) on delete cascade,
    key           text not null check (length(key) between 1 and 255),
    event_id      uuid not null,
    created_at    timestamptz not null default now(),
    primary key (function, key)
);
create index on functions_private.idempotency_keys (created_at);
