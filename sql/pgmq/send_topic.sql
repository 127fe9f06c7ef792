-- pgmq.send_topic(routing_key, msg, [headers], [delay]) -> to how many queues it was sent; 0: no binding matches.
-- pgmq.send_batch_topic(routing_key, msgs, [headers], [delay]) -> the queue and the id of each message.
create or replace function pgmq.send_topic(routing_key text, msg jsonb, headers jsonb, delay integer) returns integer
language plpgsql set search_path = pg_catalog, pg_temp as $$
declare
    queue text;
    sent integer := 0;
begin
    perform pgmq.validate_routing_key(routing_key);
    if msg is null then
        raise exception 'msg cannot be NULL';
    elsif delay < 0 then
        raise exception 'delay cannot be negative, got: %', delay;
    end if;
    for queue in select distinct b.queue_name from pgmq.topic_bindings b where routing_key ~ b.compiled_regex order by 1 loop
        perform pgmq.send(queue, msg, headers, coalesce(delay, 0));
        sent := sent + 1;
    end loop;
    return sent;
end
$$;
comment on function pgmq.send_topic(text, jsonb, jsonb, integer) is 'Sends a message to all queues that its routing key is bound to.';

create or replace function pgmq.send_topic(routing_key text, msg jsonb) returns integer
language sql set search_path = pg_catalog, pg_temp as $$ select pgmq.send_topic(routing_key, msg, null, 0) $$;
comment on function pgmq.send_topic(text, jsonb) is 'Sends a message to all queues that its routing key is bound to.';

create or replace function pgmq.send_topic(routing_key text, msg jsonb, delay integer) returns integer
language sql set search_path = pg_catalog, pg_temp as $$ select pgmq.send_topic(routing_key, msg, null, delay) $$;
comment on function pgmq.send_topic(text, jsonb, integer) is
    'Sends a message to all queues that its routing key is bound to, visible later.';

create or replace function pgmq.send_batch_topic(routing_key text, msgs jsonb[], headers jsonb[], delay timestamptz)
returns table (queue_name text, msg_id bigint)
language plpgsql set search_path = pg_catalog, pg_temp as $$
declare
    queue text;
begin
    perform pgmq.validate_routing_key(routing_key);
    perform pgmq._validate_batch_params(msgs, headers);
    for queue in select distinct b.queue_name from pgmq.topic_bindings b where routing_key ~ b.compiled_regex order by 1 loop
        return query select queue, s.id from pgmq._send_batch(queue, msgs, headers, delay) s (id);
    end loop;
end
$$;
comment on function pgmq.send_batch_topic(text, jsonb[], jsonb[], timestamptz) is
    'Sends messages to all queues that their routing key is bound to, visible from a time on.';

create or replace function pgmq.send_batch_topic(routing_key text, msgs jsonb[])
returns table (queue_name text, msg_id bigint)
language sql set search_path = pg_catalog, pg_temp as $$
    select * from pgmq.send_batch_topic(routing_key, msgs, null::jsonb[], clock_timestamp())
$$;
comment on function pgmq.send_batch_topic(text, jsonb[]) is
    'Sends messages to all queues that their routing key is bound to.';

create or replace function pgmq.send_batch_topic(routing_key text, msgs jsonb[], headers jsonb[])
returns table (queue_name text, msg_id bigint)
language sql set search_path = pg_catalog, pg_temp as $$
    select * from pgmq.send_batch_topic(routing_key, msgs, headers, clock_timestamp())
$$;
comment on function pgmq.send_batch_topic(text, jsonb[], jsonb[]) is
    'Sends messages to all queues that their routing key is bound to, with headers.';

create or replace function pgmq.send_batch_topic(routing_key text, msgs jsonb[], delay integer)
returns table (queue_name text, msg_id bigint)
language sql set search_path = pg_catalog, pg_temp as $$
    select * from pgmq.send_batch_topic(routing_key, msgs, null::jsonb[], pgmq._delay_until(delay))
$$;
comment on function pgmq.send_batch_topic(text, jsonb[], integer) is
    'Sends messages to all queues that their routing key is bound to, visible later.';

create or replace function pgmq.send_batch_topic(routing_key text, msgs jsonb[], delay timestamptz)
returns table (queue_name text, msg_id bigint)
language sql set search_path = pg_catalog, pg_temp as $$
    select * from pgmq.send_batch_topic(routing_key, msgs, null::jsonb[], delay)
$$;
comment on function pgmq.send_batch_topic(text, jsonb[], timestamptz) is
    'Sends messages to all queues that their routing key is bound to, visible from a time on.';

create or replace function pgmq.send_batch_topic(routing_key text, msgs jsonb[], headers jsonb[], delay integer)
returns table (queue_name text, msg_id bigint)
language sql set search_path = pg_catalog, pg_temp as $$
    select * from pgmq.send_batch_topic(routing_key, msgs, headers, pgmq._delay_until(delay))
$$;
comment on function pgmq.send_batch_topic(text, jsonb[], jsonb[], integer) is
    'Sends messages to all queues that their routing key is bound to, with headers, visible later.';

create or replace function pgmq._delay_until(delay integer) returns timestamptz
language plpgsql set search_path = pg_catalog, pg_temp as $$
begin
    if delay < 0 then
        raise exception 'delay cannot be negative, got: %', delay;
    end if;
    return clock_timestamp() + make_interval(secs => coalesce(delay, 0));
end
$$;
comment on function pgmq._delay_until(integer) is 'The time after a number of seconds; raises if it is negative.';
