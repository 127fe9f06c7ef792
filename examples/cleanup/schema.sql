set client_min_messages = warning;
create schema if not exists examples;
create table if not exists examples.sessions (
    id         uuid primary key default gen_random_uuid(),
    expires_at timestamptz not null default now() + interval '1 hour'
);
grant usage on schema examples to service_role;
grant select, delete on examples.sessions to service_role;
