-- pgmq_public.pop(queue_name): reads a message and deletes it. For clients of Supabase
-- (supabase.schema('pgmq_public').rpc). Runs with the caller's rights to the queue's tables.
create or replace function pgmq_public.pop(queue_name text) returns setof pgmq.message_record
language sql set search_path = pg_catalog, pg_temp as $$ select * from pgmq.pop(queue_name) $$;
comment on function pgmq_public.pop(text) is 'Reads a message and deletes it.';
