-- The service role is the one that may do everything with the application's rows: it bypasses policies, and needs the privileges as well.
-- Granted on what the installing role owns in the schema public, now and in future; other schemas and owners are theirs to grant.

do $$
declare
    relation regclass;
begin
    for relation in
        select c.oid from pg_class c
        where c.relnamespace = 'public'::regnamespace and c.relowner = current_user::regrole and c.relkind in ('r', 'p', 'v', 'm', 'f', 'S')
          and not exists (select from pg_depend d where d.classid = 'pg_class'::regclass and d.objid = c.oid and d.deptype = 'e')
    loop
        execute format('grant all on %s %s to service_role',
            case when (select relkind from pg_class where oid = relation) = 'S' then 'sequence' else 'table' end, relation);
    end loop;
end
$$;

alter default privileges in schema public grant all on tables to service_role;
alter default privileges in schema public grant all on sequences to service_role;
alter default privileges in schema public grant all on routines to service_role;
