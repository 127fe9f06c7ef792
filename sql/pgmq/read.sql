-- pgmq.read(queue_name, vt, qty, conditional) -> up to qty visible messages, the oldest id first, which nobody else reads for vt seconds.
-- conditional: only messages that contain this JSON. Raises read_ct by one.
create or replace function pgmq.read(queue_name text, vt integer, qty integer, conditional jsonb default '{}')
returns setof pgmq.message_record
language plpgsql set search_path = pg_catalog, pg_temp as $$
begin
    return query execute format(
        'with chosen as materialized (
             select m.msg_id from pgmq.%1$I m where m.vt <= clock_timestamp() %2$s order by m.msg_id limit $1 for update skip locked
         ), taken as (
             update pgmq.%1$I m set last_read_at = clock_timestamp(), vt = clock_timestamp() + $2, read_ct = m.read_ct + 1
             from chosen c where m.msg_id = c.msg_id
             returning m.msg_id, m.read_ct, m.enqueued_at, m.last_read_at, m.vt, m.message, m.headers
         )
         select * from taken order by msg_id',
        pgmq.format_table_name(queue_name, 'q'), case when conditional <> '{}' then 'and m.message @> $3' else '' end)
        using qty, make_interval(secs => vt), conditional;
end
$$;
comment on function pgmq.read(text, integer, integer, jsonb) is 'Reads messages, and hides them from other readers for vt seconds.';
