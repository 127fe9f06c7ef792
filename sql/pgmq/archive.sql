-- pgmq.archive(queue_name, msg_id) -> whether there was such a message; with an array of ids: those that there were. Moves them to the
-- table pgmq.a_<name>.
create or replace function pgmq.archive(queue_name text, msg_ids bigint[]) returns setof bigint
language plpgsql set search_path = pg_catalog, pg_temp as $$
begin
    return query execute format(
        'with moved as (
             delete from pgmq.%I m where m.msg_id = any ($1)
             returning m.msg_id, m.read_ct, m.enqueued_at, m.last_read_at, m.vt, m.message, m.headers
         )
         insert into pgmq.%I (msg_id, read_ct, enqueued_at, last_read_at, vt, message, headers) select * from moved returning msg_id',
        pgmq.format_table_name(queue_name, 'q'), pgmq.format_table_name(queue_name, 'a')) using msg_ids;
end
$$;
comment on function pgmq.archive(text, bigint[]) is 'Moves messages to the archive; returns the ids of those that there were.';

create or replace function pgmq.archive(queue_name text, msg_id bigint) returns boolean
language sql set search_path = pg_catalog, pg_temp as $$
    select exists (select from pgmq.archive(queue_name, array[msg_id]))
$$;
comment on function pgmq.archive(text, bigint) is 'Moves a message to the archive; false if there is none.';
