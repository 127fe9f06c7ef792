-- functions_private.risky_rights(role) -> rights by which code that runs as a role could make another role run its code, and the statement
-- that revokes each. Empty for a role that has none.
-- Counts rights of the role itself, of PUBLIC, and of every role that it can become. Does not count ownership: a user that writes to a
-- role's own table, or calls its own function, runs its code; that is PostgreSQL's rule for every owner.
--   TRIGGER          a trigger function runs as the user that writes to the table
--   REFERENCES       a foreign key makes the owner's updates and deletes look into a table of the role's
--   CREATE           in a schema on another role's search_path: an operator or function there can be a better match than the intended one;
--                    on the database: a schema that is named like a role comes first on that role's search_path
--   ADMIN OPTION     the role can make itself or others members of another role
--   SET, ALTER SYSTEM of parameters, which may load libraries into the server
--   LOGIN            every role may change its own password: code that runs as it can log in from elsewhere, past the sidecar
create or replace function functions_private.risky_rights(role name) returns table ("right" text, remedy text)
language sql stable set search_path = pg_catalog, pg_temp as $$
    with become as (
        select r.oid, r.rolname from pg_roles r where pg_has_role(risky_rights.role, r.oid, 'member')
    ), grantees as (
        select b.oid, quote_ident(b.rolname) as name from become b
        union all
        select 0, 'public'
    ), paths as (
        select btrim(replace(p, '"', '')) as schema
        from (select regexp_replace(c, '^search_path=', '') as value from pg_db_role_setting s, unnest(s.setconfig) c
            where c like 'search\_path=%'
              union all
              select s.reset_val from pg_settings s where s.name = 'search_path') v, unnest(string_to_array(v.value, ',')) p
        union
        select 'public'
        union
        select r.rolname from pg_roles r where not exists (select from become b where b.oid = r.oid) -- what "$user" stands for
    )
    select format('%s on %s', a.privilege_type, case when count(*) = 1 then min(c.oid::regclass::text)
               else format('%s tables of schema %I', count(*), n.nspname) end),
           case when count(*) = 1 then format('revoke %s on %s from %s;', lower(a.privilege_type), min(c.oid::regclass::text), g.name)
               else format('revoke %s on all tables in schema %I from %s;', lower(a.privilege_type), n.nspname, g.name) end
    from pg_class c join pg_namespace n on n.oid = c.relnamespace, aclexplode(c.relacl) a join grantees g on g.oid = a.grantee
    where c.relkind in ('r', 'p', 'v', 'm', 'f') and a.privilege_type in ('TRIGGER', 'REFERENCES')
        and c.relowner not in (select oid from become)
    group by a.privilege_type, n.nspname, g.name
    union all
    select format('REFERENCES on columns of %s', c.oid::regclass), format('revoke references on %s from %s;', c.oid::regclass, g.name)
    from pg_attribute t join pg_class c on c.oid = t.attrelid, aclexplode(t.attacl) a join grantees g on g.oid = a.grantee
    where a.privilege_type = 'REFERENCES' and c.relowner not in (select oid from become)
    group by c.oid, g.name
    union all
    select format('CREATE on schema %I', n.nspname), format('revoke create on schema %I from %s;', n.nspname, g.name)
    from pg_namespace n, aclexplode(n.nspacl) a join grantees g on g.oid = a.grantee
    where a.privilege_type = 'CREATE' and n.nspname in (select schema from paths) and n.nspowner not in (select oid from become)
    union all
    select format('CREATE on database %I', d.datname), format('revoke create on database %I from %s;', d.datname, g.name)
    from pg_database d, aclexplode(d.datacl) a join grantees g on g.oid = a.grantee
    where a.privilege_type = 'CREATE' and d.datname = current_database() and d.datdba not in (select oid from become)
    union all
    select format('%s on %s that %s makes%s', a.privilege_type, case d.defaclobjtype when 'r' then 'tables'
        else 'schemas' end, quote_ident(o.rolname),
               coalesce(' in schema ' || quote_ident(n.nspname), '')),
           format('alter default privileges for role %I%s revoke %s on %s from %s;', o.rolname,
               coalesce(' in schema ' || quote_ident(n.nspname), ''),
               lower(a.privilege_type), case d.defaclobjtype when 'r' then 'tables' else 'schemas' end, g.name)
    from pg_default_acl d join pg_roles o on o.oid = d.defaclrole left join pg_namespace n on n.oid = d.defaclnamespace,
         aclexplode(d.defaclacl) a join grantees g on g.oid = a.grantee
    where (d.defaclobjtype = 'r' and a.privilege_type in ('TRIGGER', 'REFERENCES') or d.defaclobjtype = 'n' and a.privilege_type = 'CREATE')
      and o.oid not in (select oid from become)
    union all
    select format('ADMIN OPTION on role %I', m.roleid::regrole), format('revoke admin option for %s from %s;', m.roleid::regrole, g.name)
    from pg_auth_members m join grantees g on g.oid = m.member
    where m.admin_option
    union all
    select format('%s on parameter %s', a.privilege_type, p.parname),
        format('revoke %s on parameter %s from %s;', lower(a.privilege_type), p.parname, g.name)
    from pg_parameter_acl p, aclexplode(p.paracl) a join grantees g on g.oid = a.grantee
    union all
    select format('LOGIN of role %I', r.rolname), format('alter role %I nologin;', r.rolname)
    from become b join pg_roles r on r.oid = b.oid
    where r.rolcanlogin
    order by 1, 2
$$;
comment on function functions_private.risky_rights(name) is
    'Rights by which code that runs as a role could make another role run its code, each with the statement that revokes it.';
revoke all on function functions_private.risky_rights(name) from public;
