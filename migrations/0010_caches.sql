-- Caches: values that functions keep for a while. The values are not logged: a crash of the server forgets them, a clean restart does not.

create table functions_private.caches (
    name            text primary key check (name ~ '^[a-z][a-z0-9_-]{0,63}$'),
    max_bytes       bigint not null,   -- of all its values; beyond that, those that were not used for longest are removed
    max_value_bytes integer not null,
    readers         text[],            -- the roles that may read; null: all roles of functions
    writers         text[],
    created_at      timestamptz not null default now(),
    updated_at      timestamptz not null default now()
);
insert into functions_private.caches (name, max_bytes, max_value_bytes) values ('default', 268435456, 26214400);

create unlogged table functions_private.cache_entries (
    cache      text not null,
    key        text collate "C" not null,     -- listed in the order of its bytes
    value      bytea not null,
    metadata   text,                          -- JSON
    expires_at timestamptz,
    used_at    timestamptz not null default now(), -- exact to about a minute
    primary key (cache, key)
) with (fillfactor = 80, autovacuum_vacuum_scale_factor = 0.05, autovacuum_vacuum_cost_delay = 0);
alter table functions_private.cache_entries alter column value set storage external;
create index cache_entries_expiring on functions_private.cache_entries (expires_at) where expires_at is not null;

-- Who computes the value of a key at the moment (getOrSet).
create unlogged table functions_private.cache_claims (
    cache      text not null,
    key        text collate "C" not null,
    claim      uuid not null,
    until      timestamptz not null,
    primary key (cache, key)
);
