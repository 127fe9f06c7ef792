-- pgmq.create_non_partitioned(queue_name), pgmq.create_unlogged(queue_name): a queue in ordinary tables. A crash of the server empties the
-- messages of an unlogged queue; its archive is kept. Both do nothing if the queue exists.
create or replace function pgmq.create_non_partitioned(queue_name text) returns void
language plpgsql set search_path = pg_catalog, pg_temp as $$
begin
    perform pgmq._create_tables(queue_name, false);
end
$$;
comment on function pgmq.create_non_partitioned(text) is 'Creates a queue in ordinary tables, unless it exists.';

create or replace function pgmq.create_unlogged(queue_name text) returns void
language plpgsql set search_path = pg_catalog, pg_temp as $$
begin
    perform pgmq._create_tables(queue_name, true);
end
$$;
comment on function pgmq.create_unlogged(text) is 'Creates a queue whose messages a crash of the server loses, unless it exists.';
