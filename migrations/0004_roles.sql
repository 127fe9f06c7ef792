-- Who a function's statements can run as. Roles belong to the whole cluster: another database's installation may have made them, or be
-- making them at this moment, hence the handlers.

do $$
declare
    wanted name;
begin
    foreach wanted in array array['anon', 'authenticated', 'service_role'] loop
        begin
            if not exists (select from pg_roles where rolname = wanted) then
                execute format('create role %I nologin noinherit', wanted);
            end if;
        exception when duplicate_object or unique_violation then null;
        end;
    end loop;

    -- Only a superuser may give BYPASSRLS (from PostgreSQL 16 on, also a role that has it). Without it the service role is subject to
    -- policies like any other: the installation fails closed, and the migrator names what is missing.
    begin
        if not exists (select from pg_roles where rolname = 'service_role' and rolbypassrls) then
            execute 'alter role service_role bypassrls';
        end if;
    exception when insufficient_privilege then null;
    end;
end
$$;
