-- functions_private.bind_trigger(id, follow) notes which table a trigger was made for, by name, and what it is to follow: the table itself ("object"), whatever
-- it is called, or whichever table has the name ("name").
create or replace function functions_private.bind_trigger(id integer, follow text) returns void
language sql volatile set search_path = pg_catalog, pg_temp as $$
    insert into functions_private.bindings as b (trigger_id, schema_name, table_name, follow)
    select t.id, n.nspname, c.relname, coalesce(bind_trigger.follow, 'object')
    from functions_private.triggers t join pg_class c on c.oid = t.relation join pg_namespace n on n.oid = c.relnamespace where t.id = bind_trigger.id
    on conflict (trigger_id) do update set schema_name = excluded.schema_name, table_name = excluded.table_name, follow = excluded.follow
$$;
comment on function functions_private.bind_trigger(integer, text) is 'Notes which table a trigger was made for, by name, and what it follows.';
revoke all on function functions_private.bind_trigger(integer, text) from public;
