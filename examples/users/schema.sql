-- Users who see themselves only. Safe to run again.
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
create policy users_see_themselves on examples.users for select to authenticated using (id = functions.uid());

insert into examples.users (id, email, display_name) values
  ('00000000-0000-4000-8000-000000000001', 'ada@example.com', 'Ada'),
  ('00000000-0000-4000-8000-000000000002', 'grace@example.com', 'Grace')
on conflict do nothing;
