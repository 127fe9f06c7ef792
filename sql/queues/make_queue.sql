-- functions_private.make_queue(queue, unlogged): the tables of a new queue, and their settings. They are the installation's, also where a
-- superuser calls this because the extension pgmq is a superuser's: the sidecar makes triggers and an index on them.
create or replace function functions_private.make_queue(queue text, unlogged boolean) returns void
language plpgsql set search_path = pg_catalog, pg_temp as $$
declare
    owner name := (select pg_get_userbyid(n.nspowner) from pg_namespace n where n.nspname = 'functions_private');
begin
    if unlogged then
        perform pgmq.create_unlogged(queue);
    else
        perform pgmq.create(queue);
    end if;
    perform functions_private.tune_queue(queue);
    if current_user <> owner then
        execute format('alter table pgmq.%I owner to %I', pgmq.format_table_name(queue, 'q'), owner);
        execute format('alter table pgmq.%I owner to %I', pgmq.format_table_name(queue, 'a'), owner);
    end if;
exception when insufficient_privilege then
    raise exception '% may not create the queue %: %', current_user, to_json(queue), sqlerrm using errcode = 'insufficient_privilege',
        hint = format('Where the extension pgmq is a superuser''s, let a superuser call it: select functions.create_queue(%L);', queue);
end
$$;
comment on function functions_private.make_queue(text, boolean) is 'Makes the tables of a queue, which are the installation''s.';
revoke all on function functions_private.make_queue(text, boolean) from public;
