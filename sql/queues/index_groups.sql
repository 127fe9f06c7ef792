-- functions_private.index_groups(messages): the index by which the next message of each group is found in a queue's table.
create or replace function functions_private.index_groups(messages text) returns void
language plpgsql set search_path = pg_catalog, pg_temp as $$
begin
    execute format('create index if not exists %I on pgmq.%I
        ((coalesce(headers ->> ''x-pgmq-group'', ''_default_fifo_group'')), msg_id)', messages || '_group_idx', messages);
exception when insufficient_privilege then
    raise exception '% may not create the index that the option "ordered" needs: %', current_user, sqlerrm
        using errcode = 'insufficient_privilege',
        hint = 'Where the extension pgmq is a superuser''s, let a superuser call functions.consume_queue.';
end
$$;
comment on function functions_private.index_groups(text) is 'The index by which the next message of each group of a queue is found.';
revoke all on function functions_private.index_groups(text) from public;
