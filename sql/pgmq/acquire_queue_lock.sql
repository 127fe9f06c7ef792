-- pgmq.acquire_queue_lock(queue_name): for clients that want one of them at a time to work on a queue, until the end of their transaction.
-- Nothing of the installation takes or waits for this lock, because any login can hold it.
create or replace function pgmq.acquire_queue_lock(queue_name text) returns void
language plpgsql set search_path = pg_catalog, pg_temp as $$
begin
    perform pg_advisory_xact_lock(hashtext('pgmq.queue_' || queue_name));
end
$$;
comment on function pgmq.acquire_queue_lock(text) is 'Waits for the lock of a queue''s name, and holds it until the transaction ends.';
