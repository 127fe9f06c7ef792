-- functions_private.uninstall_roles(drop_roles) -> what was done, one line each
-- Removes what functions ran as. Roles belong to the cluster: a role and its login are dropped only on request, and only if nothing but
-- this installation uses them: no other database, no member but the login (PostgREST's authenticator), no policy of the application.
-- Objects of such a role are given to the owner. The login pgfn_conditions, which belongs to no role, is dropped under the same conditions;
-- it loses USAGE on the application's schemas in any case.
create or replace function functions_private.uninstall_roles(drop_roles boolean) returns setof text
language plpgsql set search_path = pg_catalog, pg_temp as $$
declare
    owner name := (select pg_get_userbyid(n.nspowner) from pg_namespace n where n.nspname = 'functions');
    here oid := (select d.oid from pg_database d where d.datname = current_database());
    one record;
    gone name;
    used name;
    reason text;
begin
    for one in
        select r.role, r.login, g.oid as role_id, l.oid as login_id, r.role in ('anon', 'authenticated', 'service_role') as is_ours
        from (select f.role, f.login from functions_private.roles f union all select null, 'pgfn_conditions') r
        left join pg_roles g on g.rolname = r.role left join pg_roles l on l.rolname = r.login order by r.role
    loop
        if exists (select from pg_database d cross join aclexplode(d.datacl) a where d.oid = here and a.grantee = one.login_id) then
            execute format('revoke all on database %I from %I', current_database(), one.login);
        end if;
        if one.role is null then
            for used in
                select n.nspname from pg_namespace n cross join aclexplode(n.nspacl) a
                where a.grantee = one.login_id and has_schema_privilege(n.oid, 'usage with grant option') order by n.nspname
            loop
                execute format('revoke all on schema %I from %I', used, one.login);
            end loop;
        end if;
        continue when not drop_roles;
        select coalesce(
            (select format('database %I uses it', d.datname) from pg_shdepend s
                join pg_database d on d.oid = case s.classid when 'pg_database'::regclass then s.objid else s.dbid end
             where s.refclassid = 'pg_authid'::regclass and s.refobjid in (one.role_id, one.login_id) and d.oid <> here limit 1),
            (select format('role %I is a member of it', m.member::regrole::text) from pg_auth_members m
             where m.roleid = one.role_id and m.member <> one.login_id and not pg_has_role(owner, m.member, 'member')
                 and one.is_ours limit 1),
            (select format('policy %I on %s names it', p.polname, p.polrelid::regclass) from pg_policy p
             where p.polroles && array[one.role_id] and one.is_ours limit 1)) into reason;
        if reason is not null then
            return next format('kept %s: %s', case when one.role is null then format('role %I', one.login)
                else format('roles %I and %I', one.role, one.login) end, reason);
            continue;
        end if;
        foreach gone in array array[case when one.login_id is not null then one.login end, case when one.is_ours
            and one.role_id is not null then one.role end] loop
            continue when gone is null;
            begin
                execute format('reassign owned by %1$I to %2$I; drop owned by %1$I; drop role %1$I', gone, owner);
                return next format('dropped role %I', gone);
            exception when insufficient_privilege or dependent_objects_still_exist then
                return next format('kept role %1$I (%2$s); a superuser can drop it: reassign owned by %1$I to %3$I; drop owned by %1$I; drop role %1$I;', gone, sqlerrm, owner);
            end;
        end loop;
    end loop;
end
$$;
comment on function functions_private.uninstall_roles(boolean) is
    'Revokes what the roles of functions were granted, and drops the roles if asked to; returns what was done, one line each.';
revoke all on function functions_private.uninstall_roles(boolean) from public;
