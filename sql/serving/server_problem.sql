-- functions_private.server_problem(login) -> why a login can't serve, a sentence; null: it can
-- It must have no right besides those that functions_private.grant_serving gives: no attribute, no membership, and it is no role or login
-- of functions, not the owner, and not the login that reads the WAL.
create or replace function functions_private.server_problem(login name) returns text
language plpgsql stable set search_path = pg_catalog, pg_temp as $$
declare
    target pg_roles;
begin
    select r.* into target from pg_roles r where r.rolname = login;
    return case
        when target.oid is null then 'there is no such role.'
        when not target.rolcanlogin then 'it may not log in.'
        when target.oid = (select n.nspowner from pg_namespace n where n.nspname = 'functions_private') then 'it owns the installation.'
        when target.rolsuper or target.rolcreaterole or target.rolcreatedb or target.rolreplication or target.rolbypassrls
            then 'it has an attribute (SUPERUSER, CREATEROLE, CREATEDB, REPLICATION or BYPASSRLS), which serving does not need.'
        when exists (select from pg_auth_members m where m.member = target.oid)
            then format('it is a member of %I, whose rights serving does not need.',
                (select m.roleid::regrole::text from pg_auth_members m where m.member = target.oid limit 1))
        when login = 'pgfn_conditions' or exists (select from functions_private.roles r where server_problem.login in (r.role, r.login))
            then 'functions run as it.'
    end;
end
$$;
comment on function functions_private.server_problem(name) is 'Why a login can''t serve, or null.';
revoke all on function functions_private.server_problem(name) from public;
