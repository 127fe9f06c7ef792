-- pgmq_public.archive(queue_name, message_id): moves a message to the archive; false if there is none. For clients of Supabase
-- (supabase.schema('pgmq_public').rpc). Runs with the caller's rights to the queue's tables.
create or replace function pgmq_public.archive(queue_name text, message_id bigint) returns boolean
language sql set search_path = pg_catalog, pg_temp as $$ select pgmq.archive(queue_name, message_id) $$;
comment on function pgmq_public.archive(text, bigint) is 'Moves a message to the archive; false if there is none.';
