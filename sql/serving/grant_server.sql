-- functions.grant_server(login): allows a login to serve: a sidecar may run as it, with the rights that serving needs and no others. It
-- migrates nothing; the owner does (pgfn migrate), which renews these rights. Refused: logins with rights of their own.
-- functions.revoke_server(login) takes the rights back.
create or replace function functions.grant_server(login name) returns void
language plpgsql set search_path = pg_catalog, functions, pg_temp as $$
declare
    problem text := functions_private.server_problem(login);
begin
    if problem is not null then
        raise exception '% can''t serve: %', coalesce(to_json(login)::text, 'null'), problem
            using errcode = 'invalid_role_specification',
            hint = 'Make a login for it alone: create role pgfn_server login noinherit password ''...''; pgfn install --server does.';
    end if;
    if (select r.rolsuper from pg_namespace n join pg_roles r on r.oid = n.nspowner where n.nspname = 'functions_private') then
        raise warning 'The owner of this installation is a superuser: what % does with the owner''s rights, it does with those.',
            to_json(login) using hint = 'pgfn install makes an owner that is none.';
    end if;
    insert into functions_private.servers as s (login) values (grant_server.login) on conflict do nothing;
    perform functions_private.grant_serving(login);
end
$$;
comment on function functions.grant_server(name) is
    'Allows a login to serve, without the rights to migrate: a sidecar may run as it.';
revoke all on function functions.grant_server(name) from public;

create or replace function functions.revoke_server(login name) returns void
language plpgsql set search_path = pg_catalog, functions, pg_temp as $$
begin
    delete from functions_private.servers s where s.login = revoke_server.login;
    if not found then
        raise exception '% does not serve.', coalesce(to_json(login)::text, 'null') using errcode = 'undefined_object',
            hint = 'select login from functions_private.servers;';
    end if;
    perform functions_private.revoke_serving(login);
end
$$;
comment on function functions.revoke_server(name) is 'Takes the rights to serve back from a login.';
revoke all on function functions.revoke_server(name) from public;
