-- functions.restrict_builtins() -> the functions whose EXECUTE was revoked from PUBLIC
-- PostgreSQL lets every role take advisory locks (of a session or a transaction: both fill the lock table that all sessions share), create
-- large objects, send notifications and write messages into the WAL. Extensions add functions that execute a text as SQL, which the
-- sidecar's gate does not read. The gate refuses the known ones in functions' statements; a superuser may revoke them from every role,
-- which also covers SQL that the gate does not see.
-- A function of an extension counts as one that executes a text when it takes text and returns rows, or when an argument is named sql,
-- query, command, source_sql, relname or the like. Call this again after an extension was installed.
-- The installation's owner is given those that the sidecar itself uses: without superuser rights it had them from PUBLIC. So are the login
-- that reads the WAL and those that serve. Opt-in, because it applies to every role of the database: whatever else uses one of these needs
-- a grant afterwards.
-- Undo: grant execute on function ... to public.
-- Where the owner is no superuser, a superuser runs this text with "pgfn install --restrict-builtins", which executes nothing of the
-- owner's.
create or replace function functions.restrict_builtins() returns setof text
language plpgsql set search_path = pg_catalog, pg_temp as $$
declare
    builtin regprocedure;
    needed record;
begin
    if not (select rolsuper from pg_roles where rolname = current_user) then
        raise exception 'Only a superuser may take back what pg_catalog grants to PUBLIC.' using errcode = 'insufficient_privilege';
    end if;
    for builtin in
        select p.oid from pg_proc p
        where (p.pronamespace = 'pg_catalog'::regnamespace
          and (p.proname ~ '^pg_(try_)?advisory_(xact_)?lock' or p.proname ~ '^lo_' or p.proname in
               ('loread', 'lowrite', 'pg_notify', 'pg_logical_emit_message', 'pg_terminate_backend', 'pg_cancel_backend',
                   'pg_export_snapshot',
                'query_to_xml', 'query_to_xmlschema', 'query_to_xml_and_xmlschema', 'cursor_to_xml', 'cursor_to_xmlschema', 'ts_stat')
               or (p.proname = 'ts_rewrite' and p.pronargs = 2))
            or (exists (select from pg_depend d where d.classid = 'pg_proc'::regclass and d.objid = p.oid
                and d.refclassid = 'pg_extension'::regclass and d.deptype = 'e')
                and p.prokind in ('f', 'p') and p.prorettype <> 'trigger'::regtype
                and (p.proname ~ '^dblink'
                     or (p.proargtypes::oid[] && array['text', 'varchar']::regtype[]::oid[]
                         and (p.proretset or p.prorettype = 'record'::regtype
                             or p.proargnames && array['sql', 'query', 'command', 'statement', 'source_sql', 'relname'])))))
          and has_function_privilege('public', p.oid, 'execute')
        order by p.proname, p.oid
    loop
        execute format('revoke execute on routine %s from public', builtin);
        return next builtin::text;
    end loop;
    for needed in
        select p.oid::regprocedure as routine, r.rolname as role from pg_proc p, pg_roles r
        where p.pronamespace = 'pg_catalog'::regnamespace and not has_function_privilege(r.oid, p.oid, 'execute')
          and (p.proname in ('pg_notify', 'pg_logical_emit_message', 'pg_terminate_backend', 'pg_cancel_backend')
                 and r.oid = (select n.nspowner from pg_namespace n where n.nspname = 'functions_private')
            -- Whoever serves sends notifications. It is known by its right to call what only such logins may.
            or p.proname = 'pg_notify' and exists (
                 select from pg_proc s cross join aclexplode(s.proacl) a
                 where s.oid = to_regprocedure('functions_serving.make_partition(text, date)') and a.grantee = r.oid)
            or p.proname = 'pg_terminate_backend'
                 and r.oid = (select f.proowner from pg_proc f where f.oid = to_regprocedure('functions_replication.end_reader(integer)')))
    loop
        execute format('grant execute on routine %s to %I', needed.routine, needed.role);
    end loop;
end
$$;
comment on function functions.restrict_builtins() is
    'For a superuser, opt-in: revokes advisory locks, large objects, notifications, backend signals and functions that execute SQL text '
    'from PUBLIC.';
revoke all on function functions.restrict_builtins() from public;
