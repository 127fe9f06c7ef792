-- functions.redrive_queue(queue, filter default '{}') -> how many dead messages are back in their queue, with all their attempts
-- Moves messages that failed too often from where they went: the dead letter queue, if their header x-dead-letter names this queue, and
-- the queue's archive. They get new ids, at the end of the queue, in their former order, without that header. Messages that a reader of the
-- dead letter queue has taken are left to it. Members of the filter, which must all match:
--   error_code         as in the header
--   since, until       when the message came to the dead letter queue or the archive
--   dead_letter_queue  the queue to look in; by default that of the consumer
create or replace function functions.redrive_queue(queue text, filter jsonb default '{}') returns bigint
language plpgsql set search_path = pg_catalog, functions, pg_temp as $$
declare
    dead text := coalesce(filter ->> 'dead_letter_queue', (select c.dead_letter_queue from functions_private.queue_consumers c
        where c.queue = redrive_queue.queue));
    source record;
    moved bigint;
    total bigint := 0;
begin
    perform functions_private.require_queue(redrive_queue.queue);
    perform functions_private.require_own_tables(redrive_queue.queue);
    perform functions_private.validate_filter(filter, '{error_code,since,until,dead_letter_queue}',
        '{"error_code": "TIMEOUT"}; {} is every dead message of the queue.');
    if filter ->> 'dead_letter_queue' is not null then
        perform functions_private.require_queue(dead);
    end if;
    if dead is not null then
        perform functions_private.require_own_tables(dead);
    end if;
    -- Nothing of a header is cast: whoever sends to the dead letter queue may write anything there.
    for source in
        select s.name, s.arrived, s.condition from (values
            (pgmq.format_table_name(queue, 'a'), 'archived_at', 'true'),
            (pgmq.format_table_name(dead, 'q'), 'enqueued_at', 'm.vt <= clock_timestamp()')) s (name, arrived, condition)
        where to_regclass('pgmq.' || quote_ident(s.name)) is not null
    loop
        execute format(
            'with taken as (
                 delete from pgmq.%1$I m where m.headers #>> ''{x-dead-letter,queue}'' = $1 and %3$s
                   and ($2 ->> ''error_code'' is null or m.headers #>> ''{x-dead-letter,error_code}'' = $2 ->> ''error_code'')
                   and ($2 ->> ''since'' is null or m.%2$I >= ($2 ->> ''since'')::timestamptz)
                   and ($2 ->> ''until'' is null or m.%2$I < ($2 ->> ''until'')::timestamptz)
                 returning m.msg_id, m.message, m.headers
             ), sent as (
                 insert into pgmq.%4$I (vt, message, headers)
                 select clock_timestamp(), t.message, nullif(t.headers - ''x-dead-letter'', ''{}'') from taken t order by t.msg_id
             )
             select count(*) from taken', source.name, source.arrived, source.condition, pgmq.format_table_name(queue, 'q'))
            into moved using queue, filter;
        total := total + moved;
    end loop;
    return total;
end
$$;
comment on function functions.redrive_queue(text, jsonb) is
    'Puts dead messages back into their queue, with all their attempts; returns how many. Filter members: error_code, since, until, '
    'dead_letter_queue.';
revoke all on function functions.redrive_queue(text, jsonb) from public;
