-- Rows that two logins see under row-level security: functions as their caller, and the peer that sends the statement itself.
create schema bench;
create table bench.items (id integer primary key, owner uuid not null, title text not null);
insert into bench.items
  select id, '11111111-1111-4111-8111-111111111111', 'item ' || id from generate_series(1, 10000) as id;
analyze bench.items;
alter table bench.items enable row level security;
create policy items_belong_to_their_owner on bench.items for select to authenticated using (owner = (select functions.uid()));

create role bench_peer login password 'bench_peer';
create policy items_of_the_peer on bench.items for select to bench_peer
    using (owner = (select '11111111-1111-4111-8111-111111111111'::uuid));
grant usage on schema bench to authenticated, bench_peer;
grant select on bench.items to authenticated, bench_peer;
