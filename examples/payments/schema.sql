-- Payments that a service reported by a webhook. Safe to run again.
set client_min_messages = warning;
create schema if not exists examples;
grant usage on schema examples to anon, authenticated, service_role;

create table if not exists examples.payments (
  event       uuid primary key,
  delivery    text,
  amount      numeric not null,
  received_at timestamptz not null default now()
);
grant insert on examples.payments to service_role;
