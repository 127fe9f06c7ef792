-- functions_private.validate_consumer_options(queue, options) raises an error that names the first invalid option and its valid values.
create or replace function functions_private.validate_consumer_options(queue text, options jsonb) returns void
language plpgsql stable set search_path = pg_catalog, pg_temp as $$
declare
    dead text := options ->> 'dead_letter_queue';
begin
    perform functions_private.check_options(options,
        '{
            "batch_size": [1, 100], "batch_timeout": "other", "max_retries": [0, 100], "retry_delay": [0, 86400],
            "max_retry_delay": [0, 86400], "dead_letter_queue": "text", "concurrency": [1, 1000], "visibility": [1, 43200],
            "ordered": "boolean", "archive": "boolean", "role": "role"
        }',
        '{"batch_size": 20, "role": "service_role"}',
        '{
            "batch_size": ["maxbatchsize"], "batch_timeout": ["maxbatchtimeout"], "concurrency": ["maxconcurrency"],
            "visibility": ["visibilitytimeout", "vt"], "ordered": ["order", "orderby", "fifo"],
            "dead_letter_queue": ["dlq", "deadletter"]
        }');
    if (case jsonb_typeof(options -> 'batch_timeout')
        when 'number' then (options ->> 'batch_timeout')::numeric not between 0 and 60
        else jsonb_typeof(options -> 'batch_timeout') <> 'null' end)
    then
        raise exception 'option batch_timeout must be a number of seconds from 0 to 60, not %',
            left((options -> 'batch_timeout')::text, 60) using errcode = 'invalid_parameter_value';
    end if;
    if dead !~ '^[a-z][a-z0-9_-]{0,46}$' or dead ~ '--' then
        raise exception 'option dead_letter_queue must be the name of a queue, not %', left((options -> 'dead_letter_queue')::text, 60)
            using errcode = 'invalid_parameter_value';
    elsif dead = queue then
        raise exception 'option dead_letter_queue: a queue can not be its own dead letter queue'
            using errcode = 'invalid_parameter_value', hint = format('For example: {"dead_letter_queue": "%s-dead"}', left(queue, 42));
    end if;
end
$$;
comment on function functions_private.validate_consumer_options(text, jsonb) is
    'Raises an error that names the first unknown or invalid option of a consumer.';
revoke all on function functions_private.validate_consumer_options(text, jsonb) from public;
