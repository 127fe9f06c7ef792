-- The service role reads and writes the application's rows: it bypasses policies, and needs the privileges as well. Granted on what the
-- installing role owns
-- in the schema public, now and in future; other schemas and owners are theirs to grant. It gets no right by which code of its own would
-- run as somebody
-- else: with TRIGGER it could give the owner's table a trigger function of its own, which then runs as whoever writes to the table.
do $$
declare
    relation record;
begin
    for relation in
        select c.oid::regclass as name, c.relkind = 'S' as is_sequence
        from pg_class c
        where c.relnamespace = 'public'::regnamespace and c.relowner = current_user::regrole and c.relkind in ('r', 'p', 'v', 'm', 'f', 'S')
          and not exists (select from pg_depend d where d.classid = 'pg_class'::regclass and d.objid = c.oid and d.deptype = 'e')
    loop
        if relation.is_sequence then
            execute format('grant usage, select on sequence %s to service_role', relation.name);
        else
            execute format('grant select, insert, update, delete on table %s to service_role', relation.name);
        end if;
    end loop;
end
$$;

alter default privileges in schema public grant select, insert, update, delete on tables to service_role;
alter default privileges in schema public grant usage, select on sequences to service_role;
alter default privileges in schema public grant execute on routines to service_role;
