-- Which table a trigger was made for, by name: a table that is dropped and made again, or swapped by renaming, is another one under the same name.
create table functions_private.bindings (
    trigger_id    integer primary key references functions_private.triggers (id) on delete cascade,
    schema_name   name not null,
    table_name    name not null,
    follow        text not null default 'object' check (follow in ('object', 'name'))
);
insert into functions_private.bindings (trigger_id, schema_name, table_name)
select t.id, n.nspname, c.relname from functions_private.triggers t join pg_class c on c.oid = t.relation join pg_namespace n on n.oid = c.relnamespace;
