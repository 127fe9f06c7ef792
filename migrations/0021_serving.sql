-- Logins that serve and do nothing else: which they are, and the schema of what they do with the owner's rights.
-- A login that serves reads and writes rows of functions_private. It can't change the rows of servers and roles, which decide who may do
-- what (functions_private.grant_serving).

create schema if not exists functions_serving;
comment on schema functions_serving is 'Functions.PgSidecar: what a login that serves does with the owner''s rights. For sidecars only.';

create table functions_private.servers (
    login       name primary key,
    granted_at  timestamptz not null default now()
);
