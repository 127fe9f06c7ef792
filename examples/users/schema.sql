-- Users, each of whom sees only their own row. Safe to run again.
set client_min_messages = warning;
create schema if not exists examples;
grant usage on schema examples to anon, authenticated, service_role;

create table if not exists examples.users (
  id           uuid primary key default gen_random_uuid(),
  email        text not null unique,
  display_name text,
  created_at   timestamptz not null default now()
);

alter table examples.users enable row level security;
grant select on examples.users to authenticated;
grant select, insert, update, delete on examples.users to service_role;

drop policy if exists users_see_themselves on examples.users;
create policy users_see_themselves on examples.users for select to authenticated using (id = (select functions.uid()));

insert into examples.users (id, email, display_name) values
  ('11111111-1111-4111-8111-111111111111', 'ada@example.com', 'Ada'),
  ('22222222-2222-4222-8222-222222222222', 'grace@example.com', 'Grace')
on conflict do nothing;
