-- pgmq.create_fifo_index(queue_name), create_fifo_indexes_all(): an index on the headers, for queries by group.
create or replace function pgmq._create_fifo_index_if_not_exists(queue_name text) returns void
language plpgsql set search_path = pg_catalog, pg_temp as $$
declare
    queue text := pgmq.format_table_name(queue_name, 'q');
begin
    execute format('create index if not exists %I on pgmq.%I using gin (headers)', queue || '_fifo_idx', queue);
end
$$;
comment on function pgmq._create_fifo_index_if_not_exists(text) is 'Creates an index on the headers of a queue''s messages.';

create or replace function pgmq.create_fifo_index(queue_name text) returns void
language sql set search_path = pg_catalog, pg_temp as $$ select pgmq._create_fifo_index_if_not_exists(queue_name) $$;
comment on function pgmq.create_fifo_index(text) is 'Creates an index on the headers of a queue''s messages.';

create or replace function pgmq.create_fifo_indexes_all() returns void
language plpgsql set search_path = pg_catalog, pg_temp as $$
begin
    perform pgmq.create_fifo_index(m.queue_name) from pgmq.meta m;
end
$$;
comment on function pgmq.create_fifo_indexes_all() is 'Creates an index on the headers of the messages of every queue.';
