-- functions_private.ready_queues() -> the queues with a consumer that have a visible message, by the server's clock
create or replace function functions_private.ready_queues() returns setof text
language plpgsql stable set search_path = pg_catalog, pg_temp as $$
declare
    consumer record;
    is_ready boolean;
begin
    for consumer in
        select k.queue, c.relname from functions_private.queue_consumers k
        join pg_class c on c.relnamespace = to_regnamespace('pgmq') and c.relname = lower('q_' || k.queue)
        where not k.held
    loop
        execute format('select exists (select from pgmq.%I m where m.vt <= $1)', consumer.relname) into is_ready using clock_timestamp();
        if is_ready then
            return next consumer.queue;
        end if;
    end loop;
end
$$;
comment on function functions_private.ready_queues() is 'The queues with a consumer that have a visible message.';
revoke all on function functions_private.ready_queues() from public;
