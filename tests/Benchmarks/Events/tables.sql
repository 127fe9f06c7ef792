create schema if not exists bench;
create table bench.changes (id int generated always as identity primary key, note text not null);
create table bench.singly (id int generated always as identity primary key, note text not null);
create table bench.batches (id int generated always as identity primary key, note text not null);
create table bench.bulk_before (id int generated always as identity primary key, note text not null);
create table bench.bulk (id int generated always as identity primary key, note text not null);

-- The same table three times, for the writer: nobody is told, the WAL is read, a row trigger keeps the change in a table of jobs.
create table bench.untold (id int generated always as identity primary key, counter int not null default 0, note text not null);
create table bench.read (like bench.untold including all);
create table bench.kept (like bench.untold including all);
insert into bench.untold (note) select 'row ' || n from generate_series(1, 1000) n;
insert into bench.read (note) select note from bench.untold;
insert into bench.kept (note) select note from bench.untold;

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
create trigger keep after insert or update on bench.kept for each row execute function bench.keep();

-- An application's own login, which no function runs as.
create role bench_writer login password 'bench_writer';
grant usage on schema bench to bench_writer;
grant select, insert, update on bench.untold, bench.read, bench.kept, bench.jobs to bench_writer;
