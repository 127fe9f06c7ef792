-- functions_private.require_queue(queue) raises unless there is such a queue, or says why there can be none.
create or replace function functions_private.require_queue(queue text) returns void
language plpgsql set search_path = pg_catalog, pg_temp as $$
begin
    perform functions_private.require_pgmq();
    if not exists (select from pgmq.meta m where m.queue_name = require_queue.queue) then
        raise exception 'There is no queue named %.', coalesce(to_json(queue)::text, 'null') using errcode = 'undefined_object',
            hint = coalesce('Did you mean ' || to_json((select m.queue_name from pgmq.meta m
                where functions_private.is_similar_name(require_queue.queue, m.queue_name::text) limit 1)) || '? ', '')
                || format('To make it: select functions.create_queue(%L);', queue);
    end if;
end
$$;
comment on function functions_private.require_queue(text) is 'Raises undefined_object unless there is such a queue.';
revoke all on function functions_private.require_queue(text) from public;
