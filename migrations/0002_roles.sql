-- Who a function's statements can run as, and the login that evaluates conditions. Roles belong to the whole cluster: another database's
-- installation may
-- have made them, or be making them at this moment, hence the handlers. The migrator runs this file once more in a database that was
-- restored from a dump.

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

    -- Conditions of triggers (the option "when") and of backfills are evaluated over a login that has no rights.
    begin
        if not exists (select from pg_roles where rolname = 'pgfn_conditions') then
            create role pgfn_conditions login noinherit nosuperuser nocreatedb nocreaterole noreplication nobypassrls;
        end if;
    exception when duplicate_object or unique_violation then null;
    end;
    if not has_database_privilege('pgfn_conditions', current_database(), 'connect') then
        execute format('grant connect on database %I to pgfn_conditions', current_database());
    end if;
end
$$;
