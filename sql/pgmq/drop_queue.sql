-- pgmq.drop_queue(queue_name) -> whether there was one: a queue with its messages and its archive.
create or replace function pgmq.drop_queue(queue_name text) returns boolean
language plpgsql set search_path = pg_catalog, pg_temp as $$
declare
    queue text := pgmq.format_table_name(queue_name, 'q');
    archive text := pgmq.format_table_name(queue_name, 'a');
    was_partitioned boolean;
begin
    delete from pgmq.meta m where m.queue_name = drop_queue.queue_name returning m.is_partitioned into was_partitioned;
    if not found then
        raise notice 'pgmq queue `%` does not exist', queue_name;
        return false;
    end if;
    execute format('drop table if exists pgmq.%I, pgmq.%I', queue, archive);
    if pgmq._extension_exists('pg_partman') then
        execute format('delete from %I.part_config where parent_table in ($1, $2)', pgmq._get_pg_partman_schema())
            using 'pgmq.' || queue, 'pgmq.' || archive;
    end if;
    return true;
end
$$;
comment on function pgmq.drop_queue(text) is 'Drops a queue with its messages and its archive; false if there is none.';

create or replace function pgmq.drop_queue(queue_name text, partitioned boolean) returns boolean
language plpgsql set search_path = pg_catalog, pg_temp as $$
begin
    raise warning 'drop_queue(queue_name, partitioned) is deprecated and will be removed in PGMQ v2.0. Use drop_queue(queue_name) instead';
    return pgmq.drop_queue(queue_name);
end
$$;
comment on function pgmq.drop_queue(text, boolean) is 'Deprecated: use drop_queue(queue_name).';
