-- Row changes: which fire which functions, the tables that they are about, and how far the WAL has been read.

create table functions_private.triggers (
    id            integer generated always as identity primary key,
    name          text not null unique check (name ~ '^[a-z][a-z0-9_-]{0,63}$'),
    function      text not null references functions_private.functions (name),
    relation      oid not null,
    -- The names that the table's columns had when the trigger was made: element n is the column with pg_attribute.attnum n, null for one
    -- that the WAL does
    -- not carry (dropped, generated). The names in columns, order_by and condition are these.
    table_columns text[],
    operations    text[] not null,
    columns       text[],               -- an UPDATE fires when one of these changed; null: whatever changed
    condition     text,                 -- SQL over old and new
    order_by      text[],               -- events that are equal in these columns are delivered one after another
    batch_size    integer not null default 1,
    retries       integer,              -- null: the function's option, else 5
    backoff_ms    integer not null default 1000,
    max_backoff_ms integer not null default 300000,
    timeout_ms    integer,              -- null: the function's
    role          text,                 -- null: the writer's
    include_old   boolean not null default true,
    payload       text not null default 'event' check (payload in ('event', 'supabase')),
    enabled       boolean not null default true,
    version       integer not null default 1, -- of the definition
    since_lsn     pg_lsn not null,      -- the definition holds for what commits from here on
    created_at    timestamptz not null default now(),
    updated_at    timestamptz not null default now()
);
comment on column functions_private.triggers.relation is 'pg_class.oid of the table; of the root, for a partitioned one.';
comment on column functions_private.triggers.payload is 'The names of the events'' members: event (operation, old, new) or supabase '
                                                        '(type, old_record, record).';

-- What a trigger was before it was changed, for changes that committed then and have not been read yet.
create table functions_private.former_triggers (
    like functions_private.triggers,
    ended_lsn     pg_lsn not null
);

-- Which table a trigger was made for, by name: a table that is dropped and made again, or swapped by renaming, is another one under the
-- same name.
create table functions_private.bindings (
    trigger_id    integer primary key references functions_private.triggers (id) on delete cascade,
    schema_name   name not null,
    table_name    name not null,
    follow        text not null default 'object' check (follow in ('object', 'name'))
);

-- Tables of the application that we know by oid, by their names as well: a dump is restored with other oids. And what their replica
-- identity was before
-- we set it, so that uninstalling can put it back. The sidecar keeps the names true.
create table functions_private.known_tables (
    relation         oid primary key,
    schema_name      name not null,
    table_name       name not null,
    former_identity  "char",            -- pg_class.relreplident; null: we did not change it
    former_index     name               -- of REPLICA IDENTITY USING INDEX
);

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
    changes_xid   xid8,                 -- the transaction that made the publication functions_events_changes
    updated_at    timestamptz not null default now()
);
insert into functions_private.replication (changes_xid) values (pg_current_xact_id());

create table functions_private.incidents (
    id            bigint generated always as identity primary key,
    kind          text not null,
    message       text not null,
    from_lsn      pg_lsn,               -- what lies between these two may have been missed
    to_lsn        pg_lsn,
    opened_at     timestamptz not null default now(),
    closed_at     timestamptz
);
-- Several sidecars notice the same thing at once: they open one incident of a kind.
create unique index incidents_open on functions_private.incidents (kind) where closed_at is null;

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
