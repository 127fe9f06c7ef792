-- pgmq_public.send(queue_name, message, sleep_seconds): sends a message, which is visible after sleep_seconds. For clients of Supabase
-- (supabase.schema('pgmq_public').rpc). Runs with the caller's rights to the queue's tables.
create or replace function pgmq_public.send(queue_name text, message jsonb, sleep_seconds integer default 0) returns setof bigint
language sql set search_path = pg_catalog, pg_temp as $$ select * from pgmq.send(queue_name, message, sleep_seconds) $$;
comment on function pgmq_public.send(text, jsonb, integer) is 'Sends a message, which is visible after sleep_seconds.';
