-- pgmq.create(queue_name): a queue: the table pgmq.q_<name> for its messages and pgmq.a_<name> for archived ones. Does
-- nothing if it exists.
create or replace function pgmq.create(queue_name text) returns void
language plpgsql set search_path = pg_catalog, pg_temp as $$
begin
    perform pgmq.create_non_partitioned(queue_name);
end
$$;
comment on function pgmq.create(text) is 'Creates a queue, unless it exists.';
