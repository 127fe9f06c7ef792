-- pgmq.send(queue_name, msg, [headers], [delay]) -> the message's id. delay: seconds from now, or a time. The message is visible to readers
-- after this transaction's commit and the delay.
create or replace function pgmq.send(queue_name text, msg jsonb, headers jsonb, delay timestamptz) returns setof bigint
language plpgsql set search_path = pg_catalog, pg_temp as $$
begin
    return query execute format('insert into pgmq.%I (vt, message, headers) values ($2, $1, $3) returning msg_id',
        pgmq.format_table_name(queue_name, 'q')) using msg, delay, headers;
end
$$;
comment on function pgmq.send(text, jsonb, jsonb, timestamptz) is 'Sends a message with headers, which is visible from a time on.';

create or replace function pgmq.send(queue_name text, msg jsonb) returns setof bigint
language sql set search_path = pg_catalog, pg_temp as $$
    select * from pgmq.send(queue_name, msg, null::jsonb, clock_timestamp())
$$;
comment on function pgmq.send(text, jsonb) is 'Sends a message.';

create or replace function pgmq.send(queue_name text, msg jsonb, headers jsonb) returns setof bigint
language sql set search_path = pg_catalog, pg_temp as $$
    select * from pgmq.send(queue_name, msg, headers, clock_timestamp())
$$;
comment on function pgmq.send(text, jsonb, jsonb) is 'Sends a message with headers.';

create or replace function pgmq.send(queue_name text, msg jsonb, delay integer) returns setof bigint
language sql set search_path = pg_catalog, pg_temp as $$
    select * from pgmq.send(queue_name, msg, null::jsonb, clock_timestamp() + make_interval(secs => delay))
$$;
comment on function pgmq.send(text, jsonb, integer) is 'Sends a message, which is visible after some seconds.';

create or replace function pgmq.send(queue_name text, msg jsonb, delay timestamptz) returns setof bigint
language sql set search_path = pg_catalog, pg_temp as $$
    select * from pgmq.send(queue_name, msg, null::jsonb, delay)
$$;
comment on function pgmq.send(text, jsonb, timestamptz) is 'Sends a message, which is visible from a time on.';

create or replace function pgmq.send(queue_name text, msg jsonb, headers jsonb, delay integer) returns setof bigint
language sql set search_path = pg_catalog, pg_temp as $$
    select * from pgmq.send(queue_name, msg, headers, clock_timestamp() + make_interval(secs => delay))
$$;
comment on function pgmq.send(text, jsonb, jsonb, integer) is 'Sends a message with headers, which is visible after some seconds.';
