-- pgmq.list_queues(): the queues. pgmq.purge_queue(queue_name) -> how many messages it removed; the archive stays.
-- pgmq.detach_archive(queue_name): has no effect any more.
create or replace function pgmq.list_queues() returns setof pgmq.queue_record
language sql set search_path = pg_catalog, pg_temp as $$
    select m.queue_name, m.is_partitioned, m.is_unlogged, m.created_at from pgmq.meta m
$$;
comment on function pgmq.list_queues() is 'The queues.';

create or replace function pgmq.purge_queue(queue_name text) returns bigint
language plpgsql set search_path = pg_catalog, pg_temp as $$
declare
    queue text := pgmq.format_table_name(queue_name, 'q');
    removed bigint;
begin
    execute format('select count(*) from pgmq.%I', queue) into removed;
    execute format('truncate table pgmq.%I', queue);
    return removed;
end
$$;
comment on function pgmq.purge_queue(text) is 'Removes all messages of a queue; returns how many. The archive stays.';

create or replace function pgmq.detach_archive(queue_name text) returns void
language plpgsql set search_path = pg_catalog, pg_temp as $$
begin
    raise warning 'detach_archive(queue_name) has no effect: the archive is an ordinary table.';
end
$$;
comment on function pgmq.detach_archive(text) is 'Deprecated: has no effect.';
