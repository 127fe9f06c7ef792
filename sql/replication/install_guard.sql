-- functions.install_guard() -> whether the event trigger functions_guard exists. It keeps the application's writes from failing in the
-- transaction that changes a table. The installation creates it where it has the right; elsewhere a superuser calls this once.
create or replace function functions.install_guard() returns boolean
language plpgsql set search_path = pg_catalog, functions, pg_temp as $$
begin
    if exists (select from pg_event_trigger e where e.evtname = 'functions_guard') then
        return true;
    end if;
    create event trigger functions_guard on ddl_command_end
        when tag in ('ALTER TABLE', 'DROP TABLE', 'DROP TRIGGER', 'DROP INDEX', 'ALTER INDEX', 'CREATE PUBLICATION', 'ALTER PUBLICATION',
            'DROP TYPE', 'DROP DOMAIN',
            'DROP FUNCTION', 'DROP OPERATOR', 'DROP OPERATOR CLASS', 'DROP OPERATOR FAMILY', 'DROP COLLATION', 'DROP SCHEMA',
                'DROP EXTENSION', 'DROP OWNED')
        execute function functions_private.guard();
    return true;
exception when insufficient_privilege then
    return false;
end
$$;
comment on function functions.install_guard() is
    'Creates the event trigger that keeps writes from failing while tables are changed; true if it exists. May need a superuser.';
revoke all on function functions.install_guard() from public;
