create schema if not exists bench;
create table bench.changes (id int generated always as identity primary key, note text not null);
create table bench.singly (id int generated always as identity primary key, note text not null);
create table bench.batches (id int generated always as identity primary key, note text not null);
create table bench.bulk_before (id int generated always as identity primary key, note text not null);
create table bench.bulk (id int generated always as identity primary key, note text not null);
