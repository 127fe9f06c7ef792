-- functions_private.acknowledge_batches(queue, batches, ids) -> of each lease that was still held, how many messages were acknowledged
-- For batches of which every message is done: ids are the messages of all of them. They are deleted, or archived if the consumer says so. A
-- message that was taken by another reader meanwhile (its read_ct has changed) is left to that reader.
create or replace function functions_private.acknowledge_batches(queue text, batches uuid[], ids bigint[])
returns table (batch uuid, acks bigint)
language plpgsql set search_path = pg_catalog, pg_temp as $$
declare
    keeps boolean := coalesce((select c.archive from functions_private.queue_consumers c where c.queue = acknowledge_batches.queue), false);
begin
    -- Leases are found by their ids alone: by the queue, the server would look at every lease of the queue that vacuum has not removed yet.
    return query execute format(
        'with leases as materialized (
             delete from functions_private.queue_batches b where b.id = any ($1) returning b.id, b.queue, b.msg_ids, b.read_cts
         ), held as materialized (
             select l.id, x.msg_id, x.count from leases l cross join lateral unnest(l.msg_ids, l.read_cts) x (msg_id, count)
             where l.queue = $2
         ), gone as (
             delete from pgmq.%1$I m using held h where m.msg_id = any ($3) and m.msg_id = h.msg_id and m.read_ct = h.count
             returning h.id, m.msg_id, m.read_ct, m.enqueued_at, m.vt, m.message, m.headers
         )%2$s
         select l.id, count(g.id) from leases l left join gone g on g.id = l.id group by l.id',
        pgmq.format_table_name(queue, 'q'),
        case when keeps then format(', kept as (insert into pgmq.%I (msg_id, read_ct, enqueued_at, vt, message, headers)
            select g.msg_id, g.read_ct, g.enqueued_at, g.vt, g.message, g.headers from gone g)', pgmq.format_table_name(queue, 'a'))
            else '' end)
        using batches, queue, ids;
end
$$;
comment on function functions_private.acknowledge_batches(text, uuid[], bigint[]) is
    'Records that every message of some batches is done, if their leases are still held.';
revoke all on function functions_private.acknowledge_batches(text, uuid[], bigint[]) from public;
