-- pgmq_public.read(queue_name, sleep_seconds, n): reads up to n messages, and hides them from other readers for sleep_seconds.
-- For clients of Supabase (supabase.schema('pgmq_public').rpc). Runs with the caller's rights to the queue's tables.
create or replace function pgmq_public.read(queue_name text, sleep_seconds integer, n integer)
returns setof pgmq.message_record
language sql set search_path = pg_catalog, pg_temp as $$ select * from pgmq.read(queue_name, sleep_seconds, n) $$;
comment on function pgmq_public.read(text, integer, integer) is
    'Reads up to n messages, and hides them from other readers for sleep_seconds.';
