-- functions.grant_role(role): allows functions to run as a role of the database. Their statements use a login role of their own,
-- pgfn_<role>, which is a member of that role only, inherits nothing, and gets its password from the sidecar.
-- Refused: roles with which a function could leave its confinement (superusers, creators of roles or databases, replication, roles that
-- bypass row-level security other than service_role, this schema's owner and its members, the login roles themselves, server-file roles).
-- Warns of each right by which code that runs as the role could run as another role (functions_private.risky_rights).
create or replace function functions.grant_role(role name) returns void
language plpgsql set search_path = pg_catalog, functions, pg_temp as $$
declare
    login name;
    target pg_roles;
    owner name := (select pg_get_userbyid(nspowner) from pg_namespace where nspname = 'functions');
    power name;
    risk record;
begin
    select r.* into target from pg_roles r where r.rolname = grant_role.role;
    if not found then
        raise exception 'There is no role %.', to_json(role) using errcode = 'undefined_object';
    end if;
    if role in ('conditions', 'replicator', 'server')
        or exists (select from functions_private.servers s where s.login = 'pgfn_' || role) then
        raise exception 'Functions can''t run as a role named "%": its login would be pgfn_%, which %.', role, role,
            case role when 'conditions' then 'evaluates the conditions of triggers and must have no rights'
                when 'replicator' then 'reads the WAL' else 'a sidecar may serve as' end
            using errcode = 'reserved_name', hint = 'Make a role with another name.';
    end if;
    if octet_length(role) > 58 then
        raise exception 'The name of role % is too long: pgfn_ and 58 bytes are what fits.', to_json(role) using errcode = 'name_too_long';
    end if;
    select r.rolname into power from pg_roles r
    where pg_has_role(role, r.oid, 'member')
      and (r.rolsuper or r.rolcreaterole or r.rolcreatedb or r.rolreplication or r.rolname = owner or r.rolname like 'pgfn\_%'
           or r.rolbypassrls and r.rolname <> 'service_role' or r.rolname = 'service_role' and role <> 'service_role'
           or r.rolname in ('pg_read_server_files', 'pg_write_server_files', 'pg_execute_server_program', 'pg_signal_backend',
                            'pg_read_all_data', 'pg_write_all_data', 'pg_create_subscription', 'pg_maintain', 'pg_monitor'))
    order by r.rolname = role desc limit 1;
    if power is not null then
        raise exception 'Functions may not run as %: it has the rights of %, which would lift them out of their confinement.',
            to_json(role), to_json(power) using errcode = 'invalid_role_specification';
    end if;

    login := 'pgfn_' || role;
    begin
        if not exists (select from pg_roles where rolname = login) then
            execute format('create role %I login noinherit nosuperuser nocreatedb nocreaterole noreplication nobypassrls', login);
        end if;
    exception when duplicate_object or unique_violation then null; -- another database's installation was quicker
    end;
    if exists (select from pg_auth_members m join pg_roles r on r.oid = m.roleid
               where m.member = (select oid from pg_roles where rolname = login) and r.rolname <> role) then
        raise exception 'The login role % is a member of other roles than %; it must not be.', to_json(login), to_json(role)
            using errcode = 'invalid_role_specification', hint = format('revoke ... from %I;', login);
    end if;
    if not exists (select from pg_auth_members m where m.roleid = target.oid
        and m.member = (select oid from pg_roles where rolname = login)) then
        execute format('grant %I to %I', role, login);
    end if;
    -- The owner sees and ends the login's sessions (functions_private.guard_logins); a superuser may anyway.
    if not pg_has_role(owner, login, 'usage') then
        begin
            execute format(case when current_setting('server_version_num')::integer >= 160000
                then 'grant %I to %I with inherit true, set false' else 'grant %I to %I' end,
                login, owner);
        exception when insufficient_privilege then
            raise warning 'The sidecar can''t end sessions of %, if someone learns its password.', to_json(login)
                using hint = format('A superuser can change it: grant %I to %I;', login, owner);
        end;
    end if;
    if not has_database_privilege(login, current_database(), 'connect') then
        execute format('grant connect on database %I to %I', current_database(), login);
    end if;
    if not has_schema_privilege(role, 'functions', 'usage') then
        execute format('grant usage on schema functions to %I', role);
    end if;
    for risk in select r."right", r.remedy from functions_private.risky_rights(role) r loop
        raise warning 'Functions that run as % can make other roles run code of theirs: it has %.', to_json(role), risk."right"
            using hint = 'To take it back: ' || risk.remedy;
    end loop;
    insert into functions_private.roles as r (role, login) values (grant_role.role, login) on conflict do nothing;
    perform pg_notify('functions_changed', '');
end
$$;
comment on function functions.grant_role(name) is
    'Allows functions to run as a role of the database, for tokens whose claim "role" names it, or by the option role.';
revoke all on function functions.grant_role(name) from public;
