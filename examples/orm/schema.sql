create table if not exists orm_tasks (
  id uuid primary key default gen_random_uuid(),
  title text not null,
  done boolean not null default false,
  added timestamptz not null default now()
);
grant select, insert, update, delete on orm_tasks to anon, authenticated;
