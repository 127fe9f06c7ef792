-- pgmq.delete(queue_name, msg_id) -> whether there was such a message; with an array of ids: those that there were.
create or replace function pgmq.delete(queue_name text, msg_ids bigint[]) returns setof bigint
language plpgsql set search_path = pg_catalog, pg_temp as $$
begin
    return query execute format('delete from pgmq.%I where msg_id = any ($1) returning msg_id', pgmq.format_table_name(queue_name, 'q'))
        using msg_ids;
end
$$;
comment on function pgmq.delete(text, bigint[]) is 'Deletes messages; returns the ids of those that there were.';

create or replace function pgmq.delete(queue_name text, msg_id bigint) returns boolean
language sql set search_path = pg_catalog, pg_temp as $$
    select exists (select from pgmq.delete(queue_name, array[msg_id]))
$$;
comment on function pgmq.delete(text, bigint) is 'Deletes a message; false if there is none.';
