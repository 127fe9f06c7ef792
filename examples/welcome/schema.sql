-- Members, and the profiles that a function creates for them. Safe to run again.
set client_min_messages = warning;
create schema if not exists examples;
grant usage on schema examples to anon, authenticated, service_role;

create table if not exists examples.members (
  id         uuid primary key default gen_random_uuid(),
  email      text not null unique check (email like '%_@_%'),
  created_at timestamptz not null default now()
);
create table if not exists examples.profiles (
  member       uuid primary key references examples.members on delete cascade,
  display_name text not null,
  made_by      uuid not null
);
grant select, insert, update, delete on examples.members, examples.profiles to service_role;
