-- functions_private.bind_trigger(id, follow) records the name of the table that a trigger was created on, and what the trigger follows: the
-- table itself under any name ("object"), or the table that currently has the name ("name").
create or replace function functions_private.bind_trigger(id integer, follow text) returns void
language sql volatile set search_path = pg_catalog, pg_temp as $$
    insert into functions_private.bindings as b (trigger_id, schema_name, table_name, follow)
    select t.id, n.nspname, c.relname, coalesce(bind_trigger.follow, 'object')
    from functions_private.triggers t join pg_class c on c.oid = t.relation join pg_namespace n on n.oid = c.relnamespace
        where t.id = bind_trigger.id
    on conflict (trigger_id) do update set schema_name = excluded.schema_name, table_name = excluded.table_name, follow = excluded.follow
$$;
comment on function functions_private.bind_trigger(integer, text) is
    'Records the name of the table that a trigger was created on, and what the trigger follows.';
revoke all on function functions_private.bind_trigger(integer, text) from public;
