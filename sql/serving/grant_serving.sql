-- functions_private.grant_serving(login) gives a login exactly the rights that serving needs, whatever it had in these schemas before:
--   tables of functions_private: rows, of each. Only to be read: those that say who may do what (roles, servers), which routines and
--     migrations there are (the migrator drops what they name), which database this is, and the key that signs contexts. Of API keys it
--     writes only when they were last used; sessions it registers by functions_serving.register_session.
--   views of functions; the tables of queues.
--   routines: those that run with the caller's rights, and those of functions_serving, which run with the owner's.
-- functions_private.grant_servers() does it again for every login that serves, after each migration.
create or replace function functions_private.grant_serving(login name) returns void
language plpgsql set search_path = pg_catalog, pg_temp as $$
declare
    owner oid := (select n.nspowner from pg_namespace n where n.nspname = 'functions_private');
    one record;
begin
    perform functions_private.revoke_serving(login);
    if not has_database_privilege(login, current_database(), 'connect') then
        execute format('grant connect on database %I to %I', current_database(), login);
    end if;
    execute format('grant usage on schema functions, functions_private, functions_serving to %I', login);
    for one in
        select c.oid::regclass as relation, case
            when c.relkind = 'v' or c.relname in ('migrations', 'routines', 'installation', 'roles', 'servers', 'context_key',
                'login_sessions') then 'select'
            when c.relname = 'api_keys' then 'select, update (last_used_at)'
            else 'select, insert, update, delete' end as rights
        from pg_class c
        where c.relnamespace = 'functions_private'::regnamespace and c.relkind in ('r', 'p') and not c.relispartition
           or c.relnamespace = 'functions'::regnamespace and c.relkind = 'v'
    loop
        execute format('grant %s on %s to %I', one.rights, one.relation, login);
    end loop;
    for one in
        select p.oid::regprocedure as routine from pg_proc p
        where p.proowner = owner and p.prorettype not in ('trigger'::regtype, 'event_trigger'::regtype)
          and (p.pronamespace = 'functions_serving'::regnamespace
            or p.pronamespace in ('functions'::regnamespace, 'functions_private'::regnamespace) and not p.prosecdef)
    loop
        execute format('grant execute on routine %s to %I', one.routine, login);
    end loop;
    if functions_private.has_queues() then
        execute format('grant usage on schema pgmq to %I', login);
        execute format('grant select on pgmq.meta to %I', login);
        for one in
            select c.oid::regclass as relation from pg_class c
            where c.relnamespace = 'pgmq'::regnamespace and c.relkind in ('r', 'p') and not c.relispartition and c.relname ~ '^[qa]_'
              and pg_has_role(c.relowner, 'usage')
        loop
            execute format('grant select, insert, update, delete on %s to %I', one.relation, login);
        end loop;
        if functions_private.is_own_schema('pgmq') then
            execute format('alter default privileges in schema pgmq grant select, insert, update, delete on tables to %I', login);
        end if;
    end if;
end
$$;
comment on function functions_private.grant_serving(name) is 'Gives a login exactly the rights that serving needs.';
revoke all on function functions_private.grant_serving(name) from public;

create or replace function functions_private.grant_servers() returns void
language plpgsql set search_path = pg_catalog, pg_temp as $$
declare
    one record;
begin
    -- A database that was restored on another server may name logins that are not there, or are something else there.
    for one in select s.login, functions_private.server_problem(s.login) as problem from functions_private.servers s loop
        if one.problem is null then
            perform functions_private.grant_serving(one.login);
        else
            raise warning '% can''t serve any more: %', to_json(one.login), one.problem
                using hint = format('select functions.revoke_server(%L);', one.login);
        end if;
    end loop;
end
$$;
comment on function functions_private.grant_servers() is 'Renews the rights of every login that serves.';
revoke all on function functions_private.grant_servers() from public;
