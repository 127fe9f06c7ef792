set client_min_messages = warning;
create schema if not exists examples;
create table if not exists examples.mails (
    id        bigint primary key, -- of the message: a mail that is delivered twice is kept once
    recipient text not null,
    attempts  integer not null,
    sent_at   timestamptz not null default now()
);
grant usage on schema examples to service_role;
grant select, insert on examples.mails to service_role;
