-- Managing over HTTP is a right of its own: API keys with scopes. Each version records who deployed it.

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

-- Sidecars keep the keys in memory. The payload is no function's name, so the existing channel can carry it.
create function functions_private.notify_api_keys_changed() returns trigger
language plpgsql set search_path = pg_catalog, pg_temp as $$
begin
    perform pg_notify('functions_changed', '!api_keys');
    return null;
end
$$;
revoke all on function functions_private.notify_api_keys_changed() from public;

create trigger notify_changed after insert or delete or truncate or update of id, name, hash, scopes, functions, expires_at on functions_private.api_keys
    for each statement execute function functions_private.notify_api_keys_changed();

create view functions.api_keys as
select k.name,
       'pgfn_' || k.id || '_'                             as key_prefix,
       k.scopes,
       k.functions,
       k.created_at,
       k.created_by,
       k.expires_at,
       coalesce(k.expires_at <= now(), false)              as expired,
       k.last_used_at
from functions_private.api_keys k;
comment on view functions.api_keys is
    'The API keys that manage functions over HTTP: what each may do, when it was last used (to the minute), when it expires. The keys themselves are not stored.';

-- Who deployed each version; null for versions from before this migration.
alter table functions_private.versions add column deployed_by text;
alter table functions_private.versions alter column deployed_by set default 'role ' || session_user;
comment on column functions_private.versions.deployed_by is 'role NAME for SQL, key NAME for an API key, token SUBJECT for a token that manages.';

create or replace view functions.versions as
select v.function,
       v.version,
       v.version = f.active_version            as active,
       v.status,
       v.error ->> 'message'                   as error,
       v.language,
       coalesce(octet_length(v.source), octet_length(v.module)) as source_bytes,
       left(encode(v.source_hash, 'hex'), 12)  as source_hash,
       v.options,
       v.engine,
       octet_length(v.snapshot)                as snapshot_bytes,
       v.info,
       v.compiled_ms,
       v.rolled_back,
       v.created_at,
       v.ready_at,
       v.deployed_by
from functions_private.versions v
join functions_private.functions f on f.name = v.function;
comment on view functions.versions is 'Every version of every function: how its compilation went, and who deployed it.';
