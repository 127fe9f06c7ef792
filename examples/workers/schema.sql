-- Links that everyone may read and signed-in users may add. Safe to run again.
set client_min_messages = warning;
create schema if not exists examples;
grant usage on schema examples to anon, authenticated, service_role;

create table if not exists examples.links (
  slug   text primary key check (slug ~ '^[a-z0-9-]{1,40}$'),
  url    text not null check (url ~ '^https?://'),
  visits bigint not null default 0
);

alter table examples.links enable row level security;
grant select on examples.links to anon, authenticated;
grant insert (slug, url) on examples.links to authenticated;
grant select, insert, update, delete on examples.links to service_role;

drop policy if exists links_are_public on examples.links;
create policy links_are_public on examples.links for select to anon, authenticated using (true);
drop policy if exists links_are_added on examples.links;
create policy links_are_added on examples.links for insert to authenticated with check (true);

-- Visitors may count themselves and change nothing else.
create or replace function examples.count_visit(link text) returns void
language sql security definer set search_path = '' as $$
  update examples.links set visits = visits + 1 where slug = link;
$$;
revoke all on function examples.count_visit(text) from public;
grant execute on function examples.count_visit(text) to anon, authenticated;

insert into examples.links (slug, url) values ('postgresql', 'https://www.postgresql.org/') on conflict do nothing;
