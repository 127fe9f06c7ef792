-- pgmq_public.send_batch(queue_name, messages, sleep_seconds): sends messages, which are visible after sleep_seconds.
-- For clients of Supabase (supabase.schema('pgmq_public').rpc). Runs with the caller's rights to the queue's tables.
create or replace function pgmq_public.send_batch(queue_name text, messages jsonb[], sleep_seconds integer default 0) returns setof bigint
language sql set search_path = pg_catalog, pg_temp as $$ select * from pgmq.send_batch(queue_name, messages, sleep_seconds) $$;
comment on function pgmq_public.send_batch(text, jsonb[], integer) is 'Sends messages, which are visible after sleep_seconds.';
