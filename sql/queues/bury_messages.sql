-- functions_private.bury_messages(lease, consumer, ids, error_code, error_message) -> how many messages
-- Moves messages that failed too often to the dead letter queue, which is made again if it was dropped, or to the archive. Their header
-- x-dead-letter says where they were, how often they were tried, and the last error.
create or replace function functions_private.bury_messages(lease functions_private.queue_batches,
    consumer functions_private.queue_consumers, ids bigint[], error_code text, error_message text) returns bigint
language plpgsql set search_path = pg_catalog, pg_temp as $$
declare
    source text := pgmq.format_table_name(lease.queue, 'q');
    grave text := pgmq.format_table_name(coalesce(consumer.dead_letter_queue, lease.queue),
        case when consumer.dead_letter_queue is null then 'a' else 'q' end);
    buried bigint;
begin
    if consumer.dead_letter_queue is not null and to_regclass(format('pgmq.%I', grave)) is null then
        perform functions_serving.create_queue(consumer.dead_letter_queue);
    end if;
    execute format(
        'with moved as (
             delete from pgmq.%1$I m using unnest($1, $2) l (id, count)
             where m.msg_id = l.id and m.read_ct = l.count and m.msg_id = any ($3)
             returning m.msg_id, m.read_ct, m.enqueued_at, m.vt, m.message,
                 case when jsonb_typeof(m.headers) = ''object'' then m.headers else ''{}'' end || jsonb_build_object(''x-dead-letter'',
                     jsonb_build_object(''queue'', $4, ''message_id'', m.msg_id, ''attempts'', m.read_ct, ''enqueued_at'', m.enqueued_at,
                         ''died_at'', clock_timestamp(), ''error_code'', $5, ''error_message'', $6)) as headers
         ), kept as (
             insert into pgmq.%2$I (%3$s) select %4$s from moved m order by m.msg_id
         )
         select count(*) from moved', source, grave,
        case when consumer.dead_letter_queue is null then 'msg_id, read_ct, enqueued_at, vt, message, headers'
            else 'vt, message, headers' end,
        case when consumer.dead_letter_queue is null then 'm.msg_id, m.read_ct, m.enqueued_at, m.vt, m.message, m.headers'
            else 'clock_timestamp(), m.message, m.headers' end)
        into buried using lease.msg_ids, lease.read_cts, ids, lease.queue, error_code, error_message;
    return buried;
end
$$;
comment on function functions_private.bury_messages(functions_private.queue_batches, functions_private.queue_consumers, bigint[], text,
    text) is
    'Moves messages that failed too often to the dead letter queue or the archive.';
revoke all on function functions_private.bury_messages(functions_private.queue_batches, functions_private.queue_consumers, bigint[], text,
    text) from public;
