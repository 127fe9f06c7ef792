-- functions_private.install_queues(): the queue "default", where the database has queues and the sidecar may create one. pgfn install makes
-- it where only a superuser may; then it has no grants yet.
create or replace function functions_private.install_queues() returns void
language plpgsql set search_path = pg_catalog, pg_temp as $$
begin
    if not functions_private.has_queues() then
        return;
    end if;
    if not exists (select from pgmq.meta m where m.queue_name = 'default') then
        perform functions.create_queue('default');
    elsif not has_table_privilege('service_role', to_regclass('pgmq.q_default'), 'insert') then -- null, where the table is gone
        perform functions_private.tune_queue('default');
        perform functions_private.grant_queue('default', null, null);
    end if;
exception when insufficient_privilege then
    -- The extension belongs to another role. functions.create_queue says so to whoever calls it.
    null;
end
$$;
comment on function functions_private.install_queues() is 'Creates the queue "default", unless it exists.';
revoke all on function functions_private.install_queues() from public;
