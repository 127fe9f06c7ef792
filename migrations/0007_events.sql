-- Durable events: what fires functions, what waits to be delivered, what could not be, and where the WAL has been read to.

create table functions_private.triggers (
    id            integer generated always as identity primary key,
    name          text not null unique check (name ~ '^[a-z][a-z0-9_-]{0,63}$'),
    function      text not null references functions_private.functions (name),
    relation      oid not null,
    operations    text[] not null,
    columns       text[],               -- an UPDATE fires when one of these changed; null: whatever changed
    condition     text,                 -- SQL over old and new; a function of ours evaluates it
    order_by      text[],               -- events that are equal in these columns are delivered one after another
    batch_size    integer not null default 1,
    retries       integer,              -- null: the function's option, else 5
    backoff_ms    integer not null default 1000,
    max_backoff_ms integer not null default 300000,
    timeout_ms    integer,              -- null: the function's
    role          text,                 -- null: the writer's, and service_role where the writer had no claims
    include_old   boolean not null default true,
    enabled       boolean not null default true,
    version       integer not null default 1, -- of the definition; functions_private.condition_<id>_<version> evaluates the condition
    since_lsn     pg_lsn not null,      -- the definition holds for what commits from here on
    created_at    timestamptz not null default now(),
    updated_at    timestamptz not null default now()
);
-- What a trigger was before it was changed, for changes that committed then and have not been read yet.
create table functions_private.former_triggers (
    like functions_private.triggers,
    ended_lsn     pg_lsn not null
);

create function functions_private.keep_former_trigger() returns trigger
language plpgsql set search_path = pg_catalog, pg_temp as $$
begin
    insert into functions_private.former_triggers select old.*, pg_current_wal_insert_lsn();
    if tg_op = 'DELETE' then
        return old;
    end if;
    new.version := old.version + 1;
    new.since_lsn := pg_current_wal_insert_lsn();
    new.updated_at := now();
    return new;
end
$$;
revoke all on function functions_private.keep_former_trigger() from public;
create trigger keep_former before update or delete on functions_private.triggers
    for each row execute function functions_private.keep_former_trigger();

comment on column functions_private.triggers.relation is 'pg_class.oid of the table; of the root, for a partitioned one.';

-- Events are written once and never updated; a day is dropped as a whole. The id sorts in the order of commits (docs/triggers.md).
create table functions_private.events (
    id            uuid not null,
    occurred_at   timestamptz not null, -- of a row change: when its transaction committed, which is the same however often it is read
    kind          text not null,        -- database, invoke, schedule, webhook: the event's "trigger"
    function      text not null,
    trigger       text,
    payload       json not null,
    caller        json,                 -- {role, sub, claims}: whose work it was; null: nobody's
    depth         smallint not null default 0, -- how many functions stand between the first cause and this event
    primary key (occurred_at, id)
) partition by range (occurred_at);
create index on functions_private.events (function, occurred_at desc);

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
create index deliveries_unordered on functions_private.deliveries (function, run_at, event_id) where order_key is null and claimed_by is null;
create index deliveries_ordered on functions_private.deliveries (function, order_key, event_id) where order_key is not null;
create index deliveries_claimed on functions_private.deliveries (claimed_by) where claimed_by is not null;

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
    died_at       timestamptz not null default now()
);
create index on functions_private.dead_letters (function, died_at desc);

-- What functions.invoke came to, for those who ask (functions.result, functions.call).
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

-- The one reader of the WAL: who it is, and what it has put into the inbox. The epoch fences a former one that comes back.
create table functions_private.replication (
    only_row      boolean primary key default true check (only_row),
    epoch         bigint not null default 0,
    leader        uuid,
    leader_seen_at timestamptz,
    system_id     text,
    stored_lsn    pg_lsn,               -- every transaction that committed up to here is in the inbox
    stored_at     timestamptz,
    pending       bigint not null default 0,
    state         text not null default 'stopped',
    detail        text,
    updated_at    timestamptz not null default now()
);
insert into functions_private.replication default values;

create table functions_private.incidents (
    id            bigint generated always as identity primary key,
    kind          text not null,
    message       text not null,
    from_lsn      pg_lsn,               -- what lies between these two may have been missed
    to_lsn        pg_lsn,
    opened_at     timestamptz not null default now(),
    closed_at     timestamptz
);

create table functions_private.backfills (
    id            bigint generated always as identity primary key,
    trigger_id    integer not null references functions_private.triggers (id) on delete cascade,
    where_clause  text,
    status        text not null default 'pending' check (status in ('pending', 'running', 'done', 'failed')),
    rows          bigint not null default 0,
    error         text,
    created_at    timestamptz not null default now(),
    finished_at   timestamptz
);

-- The publication is older than the slot, as it has to be. The definitions of triggers are part of it: the reader learns of them in the
-- order of commits, among the changes that they are about.
do $$
begin
    set local client_min_messages = error;
    execute 'create publication functions_events for table functions_private.triggers with (publish_via_partition_root = true)';
end
$$;

create view functions.triggers as
select t.name, t.function, t.relation::regclass::text as "table", t.operations, t.columns, t.condition as "when", t.order_by, t.batch_size,
       t.retries, t.role, t.include_old, t.enabled, t.created_at, t.updated_at
from functions_private.triggers t;
comment on view functions.triggers is 'Which row changes fire which functions.';

create view functions.events as
select e.id, e.occurred_at, e.kind, e.trigger, e.function,
       case when l.event_id is not null then 'dead'
            when d.event_id is null then 'done'
            when d.claimed_by is not null then 'running'
            when d.attempts > 0 then 'retrying'
            else 'pending' end as status,
       coalesce(d.attempts::integer, l.attempts) as failed_attempts,
       d.run_at, coalesce(l.error_message, d.last_error) as error, e.payload, e.caller ->> 'role' as role, e.caller ->> 'sub' as user_id, e.depth
from functions_private.events e
left join functions_private.deliveries d on d.event_id = e.id
left join functions_private.dead_letters l on l.event_id = e.id;
comment on view functions.events is 'Every durable event of the retention period and how far it is: pending, running, retrying, done or dead.';

create view functions.dead_letters as
select event_id as id, died_at, kind, trigger, function, attempts, error_code, error_message, payload, caller ->> 'role' as role,
       caller ->> 'sub' as user_id, depth, occurred_at
from functions_private.dead_letters;
comment on view functions.dead_letters is 'Events that failed too often to be tried again. Kept until functions.redrive or functions.discard takes them.';

create view functions.results as
select event_id as id, function, status, result, error_code, error_message, finished_at from functions_private.results;
comment on view functions.results is 'What asynchronous invocations (functions.invoke) came to, kept for the retention period.';

create view functions.backfills as
select b.id, t.name as trigger, b.status, b.rows, b.where_clause, b.error, b.created_at, b.finished_at
from functions_private.backfills b join functions_private.triggers t on t.id = b.trigger_id;
comment on view functions.backfills is 'Backfills that were asked for, and how far they are.';

create view functions.incidents as
select id, kind, message, from_lsn, to_lsn, opened_at, closed_at from functions_private.incidents;
comment on view functions.incidents is 'What went wrong with the replication slot: changes between from_lsn and to_lsn may have been missed. Close with functions.close_incident(id).';
