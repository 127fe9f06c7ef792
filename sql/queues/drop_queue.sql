-- functions.drop_queue(queue): drops a queue with its messages and its archive; nothing consumes it any more. A batch that is being
-- delivered ends, and its outcome is not recorded. The queue "default" can only be emptied.
create or replace function functions.drop_queue(queue text) returns void
language plpgsql set search_path = pg_catalog, functions, pg_temp as $$
begin
    perform functions_private.require_queue(drop_queue.queue);
    if queue = 'default' then
        raise exception 'the queue "default" is a part of every installation' using errcode = 'invalid_parameter_value',
            hint = 'select pgmq.purge_queue(''default'');';
    end if;
    -- First, in the order of an outcome, which holds its lease when it comes to the queue's table.
    delete from functions_private.queue_batches b where b.queue = drop_queue.queue;
    if exists (select from functions_private.queue_consumers c where c.queue = drop_queue.queue) then
        perform functions.stop_consuming(drop_queue.queue);
    end if;
    delete from functions_private.queue_counts n where n.queue = drop_queue.queue;
    perform pgmq.drop_queue(drop_queue.queue);
exception when insufficient_privilege then
    raise exception '% may not drop the queue %: %', current_user, to_json(queue), sqlerrm using errcode = 'insufficient_privilege',
        hint = format('Where the extension pgmq is a superuser''s, let a superuser call it: select functions.drop_queue(%L);', queue);
end
$$;
comment on function functions.drop_queue(text) is 'Drops a queue with its messages and its archive, and stops consuming it.';
revoke all on function functions.drop_queue(text) from public;
