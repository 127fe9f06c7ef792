-- The service role reads and writes rows; it gets no right by which code of its own would run as somebody else.
-- Migration 0006 granted it everything on tables and sequences in the schema public. With TRIGGER it could give the owner's table a trigger
-- function of its own, which then ran as whoever wrote to the table. This takes back all but SELECT, INSERT, UPDATE and DELETE on tables and
-- SELECT and USAGE on sequences: from what the installing role owns, and from its default privileges.

do $$
declare
    beyond constant text := 'trigger, references, truncate' || case when current_setting('server_version_num')::integer >= 170000 then ', maintain' else '' end;
    relation record;
begin
    for relation in
        select c.oid::regclass as name, c.relkind = 'S' as is_sequence
        from pg_class c
        where c.relnamespace = 'public'::regnamespace and c.relkind in ('r', 'p', 'v', 'm', 'f', 'S') and pg_has_role(c.relowner, 'usage')
          and exists (select from aclexplode(c.relacl) a where a.grantee = 'service_role'::regrole and a.grantor = c.relowner)
    loop
        if relation.is_sequence then
            execute format('revoke update on sequence %s from service_role', relation.name);
        else
            execute format('revoke %s on table %s from service_role', beyond, relation.name);
        end if;
    end loop;
    execute format('alter default privileges in schema public revoke %s on tables from service_role', beyond);
    alter default privileges in schema public revoke update on sequences from service_role;
end
$$;

-- The sessions of pgfn_... logins that sidecars have opened in this database; one that is not here belongs to somebody else, and is ended.
-- Not logged: no session survives a crash of the server.
create unlogged table functions_private.login_sessions (
    pid        integer not null,
    started_at timestamptz not null, -- pg_stat_activity.backend_start: pids are used again
    primary key (pid, started_at)
);

-- Whether a login is a member of a role of functions makes no difference any more: functions_private.caller().
drop function if exists functions_private.may_be_caller(name), functions_private.name_caller_roles();
delete from functions_private.routines where name = 'name_caller_roles.sql';
