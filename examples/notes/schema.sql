-- Notes that only their owners may see and change. Safe to run again.
set client_min_messages = warning;
create schema if not exists examples;
grant usage on schema examples to anon, authenticated, service_role;

create table if not exists examples.notes (
  id         uuid primary key default gen_random_uuid(),
  owner      uuid not null default functions.uid(),
  title      text not null check (length(title) <= 200),
  body       text not null default '' check (length(body) <= 100000),
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now()
);
create index if not exists notes_by_owner on examples.notes (owner, created_at);

alter table examples.notes enable row level security;
grant select, delete, insert (title, body), update (title, body, updated_at) on examples.notes to authenticated;
grant select, insert, update, delete on examples.notes to service_role;

drop policy if exists notes_belong_to_their_owner on examples.notes;
create policy notes_belong_to_their_owner on examples.notes for all to authenticated
  using (owner = (select functions.uid())) with check (owner = (select functions.uid()));
