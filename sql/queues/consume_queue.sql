-- functions.consume_queue(queue, function, options): delivers the messages of a queue to a function, in batches, from this transaction's
-- commit on. Called again for a queue, it changes the function and the options; those that are not given return to their defaults.
--   role             the role that the function runs as; needed unless the function's own options name one
--   batch_size       1-100 (10): the most messages in one invocation
--   batch_timeout    0-60 s (0): how long a batch that is not full waits for more messages
--   max_retries      0-100 (3): how often a message is delivered again after its first attempt failed
--   retry_delay      0-86400 s (1): the pause before the first retry; it doubles with each, up to max_retry_delay (300)
--   dead_letter_queue  where a message goes that failed too often; it is made if it does not exist. Without one it goes to the archive
--   concurrency      1-1000: how many batches run at once, in all sidecars together (as many as there is capacity for)
--   visibility       1-43200 s (30): after how long a message is delivered again if its sidecar is silent
--   ordered          true: messages of one group (headers ->> 'x-pgmq-group') one batch after another, groups in parallel (false)
--   archive          true: acknowledged messages are kept in the archive (false)
create or replace function functions.consume_queue(queue text, function text, options jsonb default '{}') returns void
language plpgsql set search_path = pg_catalog, functions, pg_temp as $$
declare
    dead text := options ->> 'dead_letter_queue';
    messages text;
begin
    perform functions_private.require_queue(consume_queue.queue);
    perform functions_private.require_own_tables(consume_queue.queue);
    perform functions_private.require_function(consume_queue.function);
    perform functions_private.validate_consumer_options(queue, options);
    messages := pgmq.format_table_name(queue, 'q');
    if options ->> 'role' is null and not exists (
        select from functions_private.functions f join functions_private.versions v on v.function = f.name
        where f.name = consume_queue.function
          and v.version = coalesce(f.active_version, (select max(n.version) from functions_private.versions n where n.function = f.name))
          and v.options ->> 'role' is not null)
    then
        raise exception 'nothing says which role % runs as', function using errcode = 'invalid_parameter_value',
            hint = format('Give the option role, for example {"role": "service_role"}. The roles are: %s.',
                (select string_agg(r.role, ', ' order by r.role) from functions_private.roles r));
    end if;
    if dead is not null and not exists (select from pgmq.meta m where m.queue_name = dead) then
        perform functions.create_queue(dead);
    end if;
    if dead is not null then
        perform functions_private.require_own_tables(dead);
    end if;
    insert into functions_private.queue_consumers as c (queue, function, role, batch_size, batch_timeout_ms, max_retries,
        retry_delay_seconds, max_retry_delay_seconds, dead_letter_queue, concurrency, visibility_seconds, ordered, archive)
    values (consume_queue.queue, consume_queue.function, options ->> 'role', coalesce((options ->> 'batch_size')::integer, 10),
        coalesce(((options ->> 'batch_timeout')::numeric * 1000)::integer, 0), coalesce((options ->> 'max_retries')::integer, 3),
        coalesce((options ->> 'retry_delay')::integer, 1), coalesce((options ->> 'max_retry_delay')::integer, 300), dead,
        (options ->> 'concurrency')::integer, coalesce((options ->> 'visibility')::integer, 30),
        coalesce((options ->> 'ordered')::boolean, false), coalesce((options ->> 'archive')::boolean, false))
    on conflict on constraint queue_consumers_pkey do update set function = excluded.function, role = excluded.role,
        batch_size = excluded.batch_size, batch_timeout_ms = excluded.batch_timeout_ms, max_retries = excluded.max_retries,
        retry_delay_seconds = excluded.retry_delay_seconds, max_retry_delay_seconds = excluded.max_retry_delay_seconds,
        dead_letter_queue = excluded.dead_letter_queue, concurrency = excluded.concurrency,
        visibility_seconds = excluded.visibility_seconds, ordered = excluded.ordered, archive = excluded.archive, updated_at = now();
    execute format('drop trigger if exists functions_wake on pgmq.%I', messages);
    execute format('create trigger functions_wake after insert on pgmq.%I for each statement
        execute function functions_private.wake_consumers(%L)', messages, queue);
    if coalesce((options ->> 'ordered')::boolean, false) then
        perform functions_private.index_groups(messages);
    end if;
    perform pg_notify('functions_queues', '');
end
$$;
comment on function functions.consume_queue(text, text, jsonb) is
    'Delivers the messages of a queue to a function, in batches; changes an existing consumer. Options: see docs/queues.md.';
revoke all on function functions.consume_queue(text, text, jsonb) from public;
