-- pgmq.set_vt(queue_name, msg_id | msg_ids, vt) -> the messages. vt: seconds from now, or a time, until which nobody reads them.
create or replace function pgmq.set_vt(queue_name text, msg_ids bigint[], vt timestamptz) returns setof pgmq.message_record
language plpgsql set search_path = pg_catalog, pg_temp as $$
begin
    return query execute format(
        'update pgmq.%I m set vt = $2 where m.msg_id = any ($1)
         returning m.msg_id, m.read_ct, m.enqueued_at, m.last_read_at, m.vt, m.message, m.headers',
        pgmq.format_table_name(queue_name, 'q')) using msg_ids, vt;
end
$$;
comment on function pgmq.set_vt(text, bigint[], timestamptz) is 'Hides messages until a time.';

create or replace function pgmq.set_vt(queue_name text, msg_ids bigint[], vt integer) returns setof pgmq.message_record
language sql set search_path = pg_catalog, pg_temp as $$
    select * from pgmq.set_vt(queue_name, msg_ids, clock_timestamp() + make_interval(secs => vt))
$$;
comment on function pgmq.set_vt(text, bigint[], integer) is 'Hides messages for some seconds.';

create or replace function pgmq.set_vt(queue_name text, msg_id bigint, vt timestamptz) returns setof pgmq.message_record
language sql set search_path = pg_catalog, pg_temp as $$ select * from pgmq.set_vt(queue_name, array[msg_id], vt) $$;
comment on function pgmq.set_vt(text, bigint, timestamptz) is 'Hides a message until a time.';

create or replace function pgmq.set_vt(queue_name text, msg_id bigint, vt integer) returns setof pgmq.message_record
language sql set search_path = pg_catalog, pg_temp as $$
    select * from pgmq.set_vt(queue_name, array[msg_id], clock_timestamp() + make_interval(secs => vt))
$$;
comment on function pgmq.set_vt(text, bigint, integer) is 'Hides a message for some seconds.';
