-- functions_private.require_function_login(login) raises unless a login is one over which functions' statements or conditions come:
-- pgfn_<role> of a role that was granted, or pgfn_conditions. Asks the catalogue as well: the login has no attribute of its own and is a
-- member of its role only; and neither the login nor the role has the rights of the owner or of a creator of roles.
create or replace function functions_private.require_function_login(login name) returns void
language plpgsql stable set search_path = pg_catalog, pg_temp as $$
declare
    target pg_roles;
    of_role oid := (select r.oid from functions_private.roles f join pg_roles r on r.rolname = f.role
                    where f.login = require_function_login.login);
    owner oid := (select n.nspowner from pg_namespace n where n.nspname = 'functions_private');
begin
    select r.* into target from pg_roles r where r.rolname = login;
    if not found then
        raise exception 'There is no login %.', to_json(login) using errcode = 'undefined_object';
    end if;
    if login not like 'pgfn\_%'
        or login <> 'pgfn_conditions' and not exists (select from functions_private.roles f where f.login = target.rolname)
        or exists (select from functions_private.servers s where s.login = target.rolname) or target.oid = owner
        or target.rolsuper or target.rolcreaterole or target.rolcreatedb or target.rolreplication or target.rolbypassrls
        or exists (select from pg_auth_members m where m.member = target.oid and m.roleid is distinct from of_role)
        or exists (select from pg_roles r where r.oid <> target.oid and pg_has_role(target.oid, r.oid, 'member')
            and (r.oid = owner or r.rolsuper or r.rolcreaterole or r.rolcreatedb or r.rolreplication))
    then
        raise exception '% is not a login of a role of functions, or has more rights than its role.', to_json(login)
            using errcode = 'insufficient_privilege',
            hint = 'The logins are those of functions_private.roles, each a member of its role only.';
    end if;
end
$$;
comment on function functions_private.require_function_login(name) is
    'Raises unless a login is one over which functions'' statements or conditions come.';
revoke all on function functions_private.require_function_login(name) from public;
