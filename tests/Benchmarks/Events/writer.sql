create schema if not exists bench;
-- What a row trigger that keeps changes in a table of jobs does.
create table bench.jobs (
    id         bigint generated always as identity primary key,
    payload    jsonb not null,
    run_at     timestamptz not null default now(),
    locked_by  text
);
create index on bench.jobs (run_at) where locked_by is null;
create function bench.keep() returns trigger language plpgsql as $$
begin
    insert into bench.jobs (payload)
    values (jsonb_build_object('operation', tg_op, 'table', tg_table_name, 'old', to_jsonb(old), 'new', to_jsonb(new)));
    return null;
end $$;

-- An application's own login, which no function runs as.
create role bench_writer login password 'bench_writer';
grant usage on schema bench to bench_writer;
grant insert on bench.jobs to bench_writer;
