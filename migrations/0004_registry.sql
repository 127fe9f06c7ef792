-- What is deployed: functions, their versions, what each was given, and the sidecars that serve them.

create table functions_private.functions (
    name            text primary key check (name ~ '^[a-z][a-z0-9_-]{0,63}$'),
    enabled         boolean not null default true,
    active_version  integer,
    url_target      boolean not null default false,
    created_at      timestamptz not null default now(),
    updated_at      timestamptz not null default now()
);
comment on column functions_private.functions.url_target is 'Made by create_trigger''s option url: the function has the trigger''s name '
                                                            'and goes with it.';

create table functions_private.versions (
    function     text not null references functions_private.functions (name) on delete cascade,
    version      integer not null check (version > 0),
    -- A name that is dropped and deployed again counts from 1 again. The id tells the new version from what a sidecar still holds of the
    -- dropped function.
    id           uuid not null default gen_random_uuid() unique,
    language     text not null,
    source       text,
    module       bytea,               -- of a function that is a WebAssembly module
    source_hash  bytea not null,
    options      jsonb not null default '{}',
    status       text not null default 'pending' check (status in ('pending', 'ready', 'failed')),
    error        jsonb,               -- {message, file, line, column, stack} when status is failed
    engine       text,                -- which build of the engine the snapshot belongs to
    snapshot     bytea,               -- the module's memory after its top level ran
    info         jsonb,               -- what the compiler found out: exports, sizes
    rolled_back  boolean not null default false, -- was set aside by rollback: never becomes active by itself
    deployed_by  text default 'role ' || session_user,
    claimed_by   uuid,                -- the sidecar that compiles it ...
    claimed_until timestamptz,        -- ... and until when the others leave it alone
    created_at   timestamptz not null default now(),
    ready_at     timestamptz,
    compiled_ms  integer,
    primary key (function, version),
    constraint versions_source_or_module check (num_nonnulls(source, module) = 1)
);
comment on column functions_private.versions.deployed_by is 'role NAME for SQL, key NAME for an API key, token SUBJECT for a token that '
                                                            'manages.';
-- The snapshot comes compressed already where that pays; reading it must not pay for TOAST's compression as well.
alter table functions_private.versions alter column snapshot set storage external;
create index versions_pending on functions_private.versions (created_at) where status = 'pending';

alter table functions_private.functions
    add foreign key (name, active_version) references functions_private.versions (function, version) deferrable initially deferred;

-- Compilations and loads in progress: version and sidecar. Whoever begins one writes a row first, and removes it afterwards, however it
-- went. A row that
-- is left over is an attempt in which the sidecar died: after three of them the version is not tried again
-- (functions_private.claim_versions,
-- functions_private.begin_load).
create table functions_private.attempts (
    version   uuid not null references functions_private.versions (id) on delete cascade,
    sidecar   uuid not null,
    began_at  timestamptz not null default now(),
    primary key (version, sidecar)
);

create table functions_private.environment (
    function  text not null references functions_private.functions (name) on delete cascade,
    key       text not null check (key ~ '^[A-Za-z_][A-Za-z0-9_]{0,127}$'),
    value     text not null,
    updated_at timestamptz not null default now(),
    primary key (function, key)
);

create table functions_private.secrets (
    function    text not null references functions_private.functions (name) on delete cascade,
    key         text not null check (key ~ '^[A-Za-z_][A-Za-z0-9_]{0,127}$'),
    sealed      bytea not null,
    updated_at  timestamptz not null default now(),
    primary key (function, key)
);

create table functions_private.hosts (
    function  text not null references functions_private.functions (name) on delete cascade,
    pattern   text not null,
    primary key (function, pattern)
);

-- One row for each running sidecar; a row that was not renewed belongs to a sidecar that is gone.
create table functions_private.sidecars (
    id          uuid primary key,
    engine      text not null,
    host        text not null,
    started_at  timestamptz not null default now(),
    seen_at     timestamptz not null default now()
);

-- Who may manage functions over HTTP.
create table functions_private.api_keys (
    id            text primary key check (id ~ '^[0-9a-f]{16}$'),   -- the public part of the key
    name          text not null unique,
    -- SHA-256 of the whole key. A key has 256 random bits, so nobody can search for it: a salt or a slow hash would add nothing.
    hash          bytea not null check (length(hash) = 32),
    scopes        text[] not null check (cardinality(scopes) > 0),
    functions     text[],                                           -- the only functions it manages; null: all of them
    created_at    timestamptz not null default now(),
    created_by    name not null default session_user,
    expires_at    timestamptz,
    last_used_at  timestamptz                                       -- exact to about a minute
);
