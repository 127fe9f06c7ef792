-- What is deployed: functions, their versions, what they were given, and who may connect as whom.
-- Base tables live in functions_private, which only the owner reads; the schema functions holds what a person selects and calls.

create schema if not exists functions_private;
create schema if not exists functions;
comment on schema functions is 'Functions.PgSidecar: deploy, invoke and watch functions. \df functions.* is the manual.';
comment on schema functions_private is 'Functions.PgSidecar''s own tables. Use the views and functions of the schema "functions".';

create table functions_private.settings (
    key         text primary key,
    value       text not null,
    updated_at  timestamptz not null default now()
);

create table functions_private.functions (
    name            text primary key check (name ~ '^[a-z][a-z0-9_-]{0,63}$'),
    enabled         boolean not null default true,
    active_version  integer,
    created_at      timestamptz not null default now(),
    updated_at      timestamptz not null default now()
);

create table functions_private.versions (
    function     text not null references functions_private.functions (name) on delete cascade,
    version      integer not null check (version > 0),
    language     text not null,
    source       text not null,
    source_hash  bytea not null,
    options      jsonb not null default '{}',
    status       text not null default 'pending' check (status in ('pending', 'ready', 'failed')),
    error        jsonb,               -- {message, file, line, column, stack} when status is failed
    engine       text,                -- which build of the engine the snapshot belongs to
    snapshot     bytea,               -- the module's memory after its top level ran
    info         jsonb,               -- what the compiler found out: exports, sizes
    rolled_back  boolean not null default false, -- was set aside by rollback: never becomes active by itself
    claimed_by   uuid,                -- the sidecar that compiles it ...
    claimed_until timestamptz,        -- ... and until when the others leave it alone
    created_at   timestamptz not null default now(),
    ready_at     timestamptz,
    compiled_ms  integer,
    primary key (function, version)
);
-- The snapshot comes compressed already where that pays; reading it must not pay for TOAST's compression as well.
alter table functions_private.versions alter column snapshot set storage external;
create index versions_pending on functions_private.versions (created_at) where status = 'pending';

alter table functions_private.functions
    add foreign key (name, active_version) references functions_private.versions (function, version) deferrable initially deferred;

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

-- One row a running sidecar; a row that was not renewed is a sidecar that is gone.
create table functions_private.sidecars (
    id          uuid primary key,
    engine      text not null,
    host        text not null,
    started_at  timestamptz not null default now(),
    seen_at     timestamptz not null default now()
);

-- A function's statements run as `role`, over connections that log in as `login`.
create table functions_private.roles (
    role   name primary key,
    login  name not null unique
);

-- The key that signs callers' contexts (docs/decisions/0002-signed-caller-context.md), as HMAC's two padded halves.
create table functions_private.context_key (
    only_row  boolean primary key default true check (only_row),
    inner_pad bytea not null check (length(inner_pad) = 64),
    outer_pad bytea not null check (length(outer_pad) = 64)
);

-- 256 bits of the server's strong randomness (each uuid carries 122), spread over a key of 64 bytes and XORed with HMAC's pads.
do $$
declare
    secret bytea := sha256(convert_to(gen_random_uuid()::text || gen_random_uuid() || gen_random_uuid() || gen_random_uuid(), 'UTF8'));
    inner_pad bytea := decode(repeat('36', 64), 'hex');
    outer_pad bytea := decode(repeat('5c', 64), 'hex');
begin
    for i in 0 .. 31 loop
        inner_pad := set_byte(inner_pad, i, get_byte(secret, i) # 54);
        outer_pad := set_byte(outer_pad, i, get_byte(secret, i) # 92);
    end loop;
    insert into functions_private.context_key (inner_pad, outer_pad) values (inner_pad, outer_pad);
end
$$;
