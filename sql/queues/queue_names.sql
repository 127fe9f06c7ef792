-- functions_private.queue_names() -> the names of all queues, and of those that a function consumes although their tables are gone
create or replace function functions_private.queue_names() returns table (name text, has_table boolean)
language plpgsql stable set search_path = pg_catalog, pg_temp as $$
begin
    if functions_private.has_queues() then
        return query select coalesce(m.queue_name::text, k.queue),
            exists (select from pg_class c where c.relnamespace = 'pgmq'::regnamespace
                and c.relname = lower('q_' || coalesce(m.queue_name::text, k.queue)))
            from pgmq.meta m full join functions_private.queue_consumers k on k.queue = m.queue_name;
    end if;
end
$$;
comment on function functions_private.queue_names() is 'The names of all queues, and whether each has a table.';
revoke all on function functions_private.queue_names() from public;
