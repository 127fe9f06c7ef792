-- The two schemas, the settings, which database this is, and who a function's statements can run as.
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

-- Which database this is. A dump, a template and a file copy take this row along; then the identity does not match any more, which is how a
-- copy is recognised.
create table functions_private.installation (
    only_row       boolean primary key default true check (only_row),
    system_id      text,                -- of the server; null: not known yet
    database       oid,                 -- null: not known yet
    recognised_at  timestamptz,         -- as a copy; null: it is the original
    copied_from    text                 -- what it is a copy of, for people
);
insert into functions_private.installation default values;

-- A function's statements run as `role`, over connections that log in as `login`.
create table functions_private.roles (
    role   name primary key,
    login  name not null unique
);

-- The sessions of pgfn_... logins that sidecars have opened in this database. A session that is not listed was opened by somebody else, and
-- is ended.
-- Not logged: no session survives a crash of the server.
create unlogged table functions_private.login_sessions (
    pid        integer not null,
    started_at timestamptz not null, -- pg_stat_activity.backend_start: pids are used again
    primary key (pid, started_at)
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
