-- pgmq.send_batch(queue_name, msgs, [headers], [delay]) -> the ids of the messages, in their order. headers has one element for each
-- message.
create or replace function pgmq._validate_batch_params(msgs jsonb[], headers jsonb[]) returns void
language plpgsql set search_path = pg_catalog, pg_temp as $$
begin
    if coalesce(array_length(msgs, 1), 0) = 0 then
        raise exception 'msgs cannot be NULL or empty';
    elsif headers is not null and coalesce(array_length(headers, 1), 0) <> array_length(msgs, 1) then
        raise exception 'headers array length (%) must match msgs array length (%)', coalesce(array_length(headers, 1), 0),
            array_length(msgs, 1);
    end if;
end
$$;
comment on function pgmq._validate_batch_params(jsonb[], jsonb[]) is
    'Raises unless there are messages, and as many headers if there are any.';

create or replace function pgmq._send_batch(queue_name text, msgs jsonb[], headers jsonb[], delay timestamptz) returns setof bigint
language plpgsql set search_path = pg_catalog, pg_temp as $$
begin
    return query execute format(
        'insert into pgmq.%I (vt, message, headers) select $2, m.message, m.headers
         from unnest($1, $3) with ordinality m (message, headers, n) order by m.n returning msg_id',
        pgmq.format_table_name(queue_name, 'q')) using msgs, delay, headers;
end
$$;
comment on function pgmq._send_batch(text, jsonb[], jsonb[], timestamptz) is 'Sends messages.';

create or replace function pgmq.send_batch(queue_name text, msgs jsonb[], headers jsonb[], delay timestamptz) returns setof bigint
language plpgsql set search_path = pg_catalog, pg_temp as $$
begin
    perform pgmq._validate_batch_params(msgs, headers);
    return query select * from pgmq._send_batch(queue_name, msgs, headers, delay);
end
$$;
comment on function pgmq.send_batch(text, jsonb[], jsonb[], timestamptz) is
    'Sends messages with headers, which are visible from a time on.';

create or replace function pgmq.send_batch(queue_name text, msgs jsonb[]) returns setof bigint
language sql set search_path = pg_catalog, pg_temp as $$
    select * from pgmq.send_batch(queue_name, msgs, null::jsonb[], clock_timestamp())
$$;
comment on function pgmq.send_batch(text, jsonb[]) is 'Sends messages.';

create or replace function pgmq.send_batch(queue_name text, msgs jsonb[], headers jsonb[]) returns setof bigint
language sql set search_path = pg_catalog, pg_temp as $$
    select * from pgmq.send_batch(queue_name, msgs, headers, clock_timestamp())
$$;
comment on function pgmq.send_batch(text, jsonb[], jsonb[]) is 'Sends messages with headers.';

create or replace function pgmq.send_batch(queue_name text, msgs jsonb[], delay integer) returns setof bigint
language sql set search_path = pg_catalog, pg_temp as $$
    select * from pgmq.send_batch(queue_name, msgs, null::jsonb[], clock_timestamp() + make_interval(secs => delay))
$$;
comment on function pgmq.send_batch(text, jsonb[], integer) is 'Sends messages, which are visible after some seconds.';

create or replace function pgmq.send_batch(queue_name text, msgs jsonb[], delay timestamptz) returns setof bigint
language sql set search_path = pg_catalog, pg_temp as $$
    select * from pgmq.send_batch(queue_name, msgs, null::jsonb[], delay)
$$;
comment on function pgmq.send_batch(text, jsonb[], timestamptz) is 'Sends messages, which are visible from a time on.';

create or replace function pgmq.send_batch(queue_name text, msgs jsonb[], headers jsonb[], delay integer) returns setof bigint
language sql set search_path = pg_catalog, pg_temp as $$
    select * from pgmq.send_batch(queue_name, msgs, headers, clock_timestamp() + make_interval(secs => delay))
$$;
comment on function pgmq.send_batch(text, jsonb[], jsonb[], integer) is
    'Sends messages with headers, which are visible after some seconds.';
