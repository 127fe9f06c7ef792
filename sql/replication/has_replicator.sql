-- functions_private.has_replicator() -> whether the routines of the schema functions_replication create and drop the slot, with the rights
-- of the login that reads the WAL. pgfn install creates them. A user with the REPLICATION right does not need them.
-- Only routines owned by a role with the REPLICATION right count. They run with that role's rights, so another creator of the schema gains
-- nothing.
create or replace function functions_private.has_replicator() returns boolean
language sql stable set search_path = pg_catalog, pg_temp as $$
    select not functions_private.may_replicate()
       and (select count(*) = 3 from pg_proc p join pg_roles r on r.oid = p.proowner
            where p.oid in (to_regprocedure('functions_replication.create_slot()'),
                to_regprocedure('functions_replication.drop_slot(name)'),
                            to_regprocedure('functions_replication.end_reader(integer)'))
              and p.prosecdef and r.rolreplication and has_function_privilege(p.oid, 'execute')
              and has_schema_privilege(p.pronamespace, 'usage'))
$$;
comment on function functions_private.has_replicator() is
    'Whether the slot is created with the rights of the login that reads the WAL instead of the current user''s.';
revoke all on function functions_private.has_replicator() from public;
