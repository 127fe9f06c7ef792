-- functions.create_queue(queue, options): a queue, to which functions send by env.QUEUE.queue(queue). If it exists, only its grants change.
-- The queue "default" is env.QUEUE itself and exists from the start.
--   unlogged  true: a crash of the server loses the messages (false). Only for a new queue
--   send      the roles whose functions may send: names, or an array of them. service_role always may
--   receive   the roles whose functions may also read, delete and archive by the functions of the schema pgmq
-- send and receive are grants on the queue's tables: a list that is given replaces what the roles of functions had, one that is not given
-- changes nothing. Policies of row-level security on pgmq.q_<queue> hold for these roles.
create or replace function functions.create_queue(queue text, options jsonb default '{}') returns void
language plpgsql set search_path = pg_catalog, functions, pg_temp as $$
begin
    if queue is null or queue !~ '^[a-z][a-z0-9_-]{0,46}$' or queue ~ '--' then
        raise exception '% is not a queue name', coalesce(to_json(left(queue, 80))::text, 'null') using errcode = 'invalid_name',
            hint = 'A name starts with a letter, has lower-case letters, digits, _ and single -, and at most 47 of them.';
    end if;
    perform functions_private.check_options(options, '{"unlogged": "boolean", "send": "roles", "receive": "roles"}',
        '{"send": "authenticated"}');
    perform functions_private.require_pgmq();
    if not exists (select from pgmq.meta m where m.queue_name = create_queue.queue) then
        perform functions_private.make_queue(queue, coalesce((options ->> 'unlogged')::boolean, false));
    end if;
    perform functions_private.grant_queue(queue, options -> 'send', options -> 'receive');
end
$$;
comment on function functions.create_queue(text, jsonb) is
    'Creates a queue for functions (env.QUEUE.queue), or changes who may use it. Options: unlogged, send, receive.';
revoke all on function functions.create_queue(text, jsonb) from public;
