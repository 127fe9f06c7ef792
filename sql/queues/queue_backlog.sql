-- functions_private.queue_backlog(queue) -> how many messages a queue has, roughly how many bytes, and when the oldest one was sent
-- Counts up to 100,000 messages exactly; beyond that, count is PostgreSQL's estimate. The size is that of 100 messages, extrapolated. Nulls
-- if the queue's table is gone, or the caller may not read it: it can be a superuser's where the extension pgmq is.
create or replace function functions_private.queue_backlog(queue text, out count bigint, out bytes bigint, out oldest timestamptz)
language plpgsql stable set search_path = pg_catalog, pg_temp as $$
declare
    source text := pgmq.format_table_name(queue, 'q');
begin
    if has_table_privilege(to_regclass(format('pgmq.%I', source)), 'select') is not true then
        return;
    end if;
    execute format(
        'select (select count(*) from (select from pgmq.%1$I limit 100001) c),
            (select avg(pg_column_size(m.message) + coalesce(pg_column_size(m.headers), 0)) from (select * from pgmq.%1$I limit 100) m),
            (select m.enqueued_at from pgmq.%1$I m order by m.msg_id limit 1)', source) into count, bytes, oldest;
    if count > 100000 then
        count := greatest(count, (select sum(c.reltuples)::bigint from pg_class c
            where c.oid in (select t.relid from pg_partition_tree(format('pgmq.%I', source)::regclass) t
                union all select format('pgmq.%I', source)::regclass) and c.relkind = 'r'));
    end if;
    bytes := coalesce(bytes, 0) * count;
end
$$;
comment on function functions_private.queue_backlog(text) is 'How many messages a queue has, their size, and when the oldest one was sent.';
revoke all on function functions_private.queue_backlog(text) from public;
