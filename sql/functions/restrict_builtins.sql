-- functions.restrict_builtins() -> the functions taken back from PUBLIC
-- PostgreSQL lets every role take advisory locks (of its session or its transaction: both fill the one lock table that all share), create large objects, send notifications and write messages into the WAL. The
-- sidecar refuses these in functions' statements; a superuser may take them back altogether. Opt-in, because it is so for every role of the
-- database: whatever else uses one of these needs a grant afterwards. Undo: grant execute on function ... to public.
create or replace function functions.restrict_builtins() returns setof text
language plpgsql set search_path = pg_catalog, functions, pg_temp as $$
declare
    builtin regprocedure;
begin
    if not (select rolsuper from pg_roles where rolname = current_user) then
        raise exception 'Only a superuser may take back what pg_catalog grants to PUBLIC.' using errcode = 'insufficient_privilege';
    end if;
    for builtin in
        select p.oid from pg_proc p
        where p.pronamespace = 'pg_catalog'::regnamespace
          and (p.proname ~ '^pg_(try_)?advisory_(xact_)?lock' or p.proname ~ '^lo_' or p.proname in
               ('loread', 'lowrite', 'pg_notify', 'pg_logical_emit_message', 'pg_terminate_backend', 'pg_cancel_backend', 'pg_export_snapshot'))
          and has_function_privilege('public', p.oid, 'execute')
        order by p.proname, p.oid
    loop
        execute format('revoke execute on function %s from public', builtin);
        return next builtin::text;
    end loop;
end
$$;
comment on function functions.restrict_builtins() is
    'For a superuser: takes advisory locks, large objects, notifications and backend signals back from PUBLIC, in this database. Opt-in.';
revoke all on function functions.restrict_builtins() from public;
