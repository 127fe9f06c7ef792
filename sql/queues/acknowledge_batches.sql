-- functions_private.acknowledge_batches(queue, batches, ids) -> of each lease that was still held, how many messages were acknowledged
-- For batches of which every message is done: batches are their leases, and ids the messages of all of them. They are deleted, or archived
-- if the consumer says so. A message that was taken by another reader meanwhile (its read_ct has changed) is left to that reader. A lease
-- keeps the messages of its other batches, and ends with the last one.
create or replace function functions_private.acknowledge_batches(queue text, batches uuid[], ids bigint[])
returns table (batch uuid, acks bigint)
language plpgsql set search_path = pg_catalog, pg_temp set plan_cache_mode = force_generic_plan set enable_seqscan = off
set enable_bitmapscan = off set jit = off as $$
declare
    keeps boolean := coalesce((select c.archive from functions_private.queue_consumers c where c.queue = acknowledge_batches.queue), false);
    plan text := case when keeps then 'archive ' else 'acknowledge ' end || md5(queue);
begin
    -- Leases are found by their ids alone: by the queue, the server would look at every lease of the queue that vacuum has not removed yet.
    perform functions_private.prepare_once(plan, 'uuid[], text, bigint[]', format(
        'with leases as materialized (
             select b.id, b.queue, b.msg_ids, b.read_cts from functions_private.queue_batches b where b.id = any ($1)
             order by b.id for update
         ), messages as materialized (
             select l.id, x.msg_id, x.count, x.place, d.msg_id is not null as is_done
             from leases l cross join lateral unnest(l.msg_ids, l.read_cts) with ordinality x (msg_id, count, place)
             left join unnest($3) d (msg_id) on d.msg_id = x.msg_id where l.queue = $2
         ), rest as materialized (
             select s.id, array_agg(s.msg_id order by s.place) filter (where not s.is_done) as ids,
                 array_agg(s.count order by s.place) filter (where not s.is_done) as counts
             from messages s group by s.id
         ), ended as (
             delete from functions_private.queue_batches b
             where b.id = any (array(select r.id from rest r where r.ids is null))
         ), kept_leases as (
             update functions_private.queue_batches b set msg_ids = r.ids, read_cts = r.counts from rest r
             where b.id = any (array(select o.id from rest o where o.ids is not null)) and b.id = r.id
         ), gone as (
             delete from pgmq.%1$I m using messages h
             where m.msg_id = any ($3) and h.is_done and m.msg_id = h.msg_id and m.read_ct = h.count
             returning h.id, m.msg_id, m.read_ct, m.enqueued_at, m.vt, m.message, m.headers
         )%2$s
         select r.id, count(g.id) from rest r left join gone g on g.id = r.id group by r.id',
        pgmq.format_table_name(queue, 'q'),
        case when keeps then format(', kept as (insert into pgmq.%I (msg_id, read_ct, enqueued_at, vt, message, headers)
            select g.msg_id, g.read_ct, g.enqueued_at, g.vt, g.message, g.headers from gone g)', pgmq.format_table_name(queue, 'a'))
            else '' end));
    return query execute format('execute %I (%L, %L, %L)', plan, batches, queue, ids);
end
$$;
comment on function functions_private.acknowledge_batches(text, uuid[], bigint[]) is
    'Records that every message of some batches is done, if their leases are still held.';
revoke all on function functions_private.acknowledge_batches(text, uuid[], bigint[]) from public;
