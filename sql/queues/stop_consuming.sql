-- functions.stop_consuming(queue): no function consumes the queue any more; its messages stay. A batch that is being delivered ends as
-- usual.
create or replace function functions.stop_consuming(queue text) returns void
language plpgsql set search_path = pg_catalog, functions, pg_temp as $$
begin
    delete from functions_private.queue_consumers c where c.queue = stop_consuming.queue;
    if not found then
        raise exception 'No function consumes a queue named %.', coalesce(to_json(queue)::text, 'null') using errcode = 'undefined_object',
            hint = 'select name, function from functions.queues;';
    end if;
    -- In the order of a claim, which holds the queue's table when it comes to the row of who waits.
    if functions_private.has_queues()
        and to_regclass(format('pgmq.%I', pgmq.format_table_name(queue, 'q'))) is not null
    then
        execute format('drop trigger if exists functions_wake on pgmq.%I', pgmq.format_table_name(queue, 'q'));
    end if;
    delete from functions_private.queue_waits w where w.queue = stop_consuming.queue;
    perform pg_notify('functions_queues', '');
end
$$;
comment on function functions.stop_consuming(text) is 'Ends the consumption of a queue; its messages stay.';
revoke all on function functions.stop_consuming(text) from public;
