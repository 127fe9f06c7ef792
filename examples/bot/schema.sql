-- What was said in each channel, and the orders that the bot may look up. Safe to run again.
set client_min_messages = warning;
create schema if not exists examples;
grant usage on schema examples to anon, authenticated, service_role;

create table if not exists examples.bot_messages (
  id       bigint generated always as identity primary key,
  channel  text not null,
  event    uuid not null,          -- of the webhook: the same event is answered once
  role     text not null check (role in ('user', 'assistant')),
  content  text not null,
  said_at  timestamptz not null default now(),
  unique (event, role)
);
create index if not exists bot_messages_channel on examples.bot_messages (channel, id);
create table if not exists examples.bot_orders (
  number  integer primary key,
  status  text not null
);
insert into examples.bot_orders values (1, 'shipped'), (2, 'being packed') on conflict do nothing;
grant select, insert on examples.bot_messages to service_role;
grant select on examples.bot_orders to service_role;
