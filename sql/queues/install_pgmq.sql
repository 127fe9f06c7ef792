-- functions_private.install_pgmq() -> the folders of routines that the installation keeps: pgmq, pgmq_public
-- Creates the schema pgmq with its types and tables, unless the extension pgmq or something else has a schema of this name; and the schema
-- pgmq_public, by which clients of Supabase use queues. The comments of the schemas mark them as created here, which an uninstallation and
-- the next run of this function check. The migrator calls it before it applies the routines of the two folders.
create or replace function functions_private.install_pgmq() returns setof text
language plpgsql set search_path = pg_catalog, pg_temp as $install$
declare
    mark constant text := 'Functions.PgSidecar: ';
    one record;
begin
    for one in select * from (values ('pgmq', 'message queues, with the API of the extension pgmq 1.13.'),
        ('pgmq_public', 'the queue functions that clients of Supabase call.')) s (name, what)
    loop
        if to_regnamespace(one.name) is null then
            -- An extension that was dropped and left its schema, or one in another schema, is not replaced.
            continue when one.name = 'pgmq' and exists (select from pg_extension e where e.extname = 'pgmq');
            continue when one.name = 'pgmq_public' and not functions_private.has_queues();
            execute format('create schema %I', one.name);
            execute format('comment on schema %I is %L', one.name, mark || one.what);
        end if;
        continue when not functions_private.is_own_schema(one.name);
        if one.name = 'pgmq' then
            perform functions_private.install_pgmq_tables();
        else
            grant usage on schema pgmq_public to anon, authenticated, service_role;
        end if;
        return next one.name;
    end loop;
end
$install$;
comment on function functions_private.install_pgmq() is
    'Creates the schemas pgmq and pgmq_public, unless the database has its own; the names of those that the installation keeps.';
revoke all on function functions_private.install_pgmq() from public;
