-- functions_private.require_pgmq() raises where the database has no queues: its schema pgmq is another's.
create or replace function functions_private.require_pgmq() returns void
language plpgsql stable set search_path = pg_catalog, pg_temp as $$
begin
    if not functions_private.has_queues() then
        raise exception 'This database has no queues: its schema pgmq is neither the sidecar''s nor that of an extension pgmq that % may use.',
            to_json(current_user) using errcode = 'object_not_in_prerequisite_state',
            hint = 'Where a superuser created the extension, and all code in its schema is a superuser''s, ''pgfn install'' grants what is '
                || 'needed. Another schema of this name: rename it and restart a sidecar, which makes its own.';
    end if;
end
$$;
comment on function functions_private.require_pgmq() is 'Raises where the database has no queues.';
revoke all on function functions_private.require_pgmq() from public;
