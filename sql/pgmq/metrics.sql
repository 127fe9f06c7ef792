-- pgmq.metrics(queue_name), pgmq.metrics_all(): how many messages wait, how many of them are visible, the age in seconds of the newest and
-- the oldest one, and how many were ever sent. Reads the whole queue.
create or replace function pgmq.metrics(queue_name text) returns pgmq.metrics_result
language plpgsql set search_path = pg_catalog, pg_temp as $$
declare
    result pgmq.metrics_result;
    queue text := pgmq.format_table_name(queue_name, 'q');
    archive text := pgmq.format_table_name(queue_name, 'a');
begin
    execute format(
        'select $1, q.length, extract(epoch from clock_timestamp() - q.newest)::integer,
            extract(epoch from clock_timestamp() - q.oldest)::integer, case when s.is_called then s.last_value else 0 end,
            clock_timestamp(), q.visible,
            (select sum(greatest(c.reltuples, 0))::bigint from pg_class c
             where c.relnamespace = ''pgmq''::regnamespace and c.relname in ($2, $3)
               and exists (select from pgmq.meta m where m.queue_name = $1 and m.is_partitioned))
         from (select count(*) as length, max(m.enqueued_at) as newest, min(m.enqueued_at) as oldest,
                   count(*) filter (where m.vt <= clock_timestamp()) as visible from pgmq.%I m) q
         cross join (select x.is_called, x.last_value from pgmq.%I x) s',
        queue, queue || '_msg_id_seq')
        into result using queue_name, queue || '_default', archive || '_default';
    return result;
end
$$;
comment on function pgmq.metrics(text) is 'How many messages a queue has, how old they are, and how many were sent.';

create or replace function pgmq.metrics_all() returns setof pgmq.metrics_result
language plpgsql set search_path = pg_catalog, pg_temp as $$
declare
    one text;
begin
    for one in select m.queue_name from pgmq.meta m loop
        return next pgmq.metrics(one);
    end loop;
end
$$;
comment on function pgmq.metrics_all() is 'The metrics of all queues.';
