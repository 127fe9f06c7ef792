-- pgmq.pop(queue_name, qty) -> up to qty visible messages, the oldest id first, and deletes them: they are delivered at most once.
create or replace function pgmq.pop(queue_name text, qty integer default 1) returns setof pgmq.message_record
language plpgsql set search_path = pg_catalog, pg_temp as $$
begin
    return query execute format(
        'with chosen as materialized (
             select m.msg_id from pgmq.%1$I m where m.vt <= clock_timestamp() order by m.msg_id limit $1 for update skip locked
         ), taken as (
             delete from pgmq.%1$I m where m.msg_id in (select c.msg_id from chosen c)
             returning m.msg_id, m.read_ct, m.enqueued_at, m.last_read_at, m.vt, m.message, m.headers
         )
         select * from taken order by msg_id', pgmq.format_table_name(queue_name, 'q')) using qty;
end
$$;
comment on function pgmq.pop(text, integer) is 'Reads messages and deletes them.';
