-- functions_private.revoke_serving(login) takes back what functions_private.grant_serving gives; CONNECT stays.
create or replace function functions_private.revoke_serving(login name) returns void
language plpgsql set search_path = pg_catalog, pg_temp as $$
declare
    schemas text := 'functions, functions_private, functions_serving';
    one record;
begin
    if to_regrole(quote_ident(login)) is null then
        return;
    end if;
    execute format('revoke all on all tables in schema %s from %I', schemas, login);
    execute format('revoke all on all routines in schema %s from %I', schemas, login);
    execute format('revoke all on schema %s from %I', schemas, login);
    if functions_private.has_queues() then
        -- Where the extension pgmq is a superuser's, some tables are too, and nothing was granted on them.
        for one in
            select c.oid::regclass as relation from pg_class c
            where c.relnamespace = 'pgmq'::regnamespace and c.relkind in ('r', 'p')
              and (c.relname = 'meta' or pg_has_role(c.relowner, 'usage'))
        loop
            execute format('revoke all on %s from %I', one.relation, login);
        end loop;
        execute format('revoke all on schema pgmq from %I', login);
        if functions_private.is_own_schema('pgmq') then
            execute format('alter default privileges in schema pgmq revoke all on tables from %I', login);
        end if;
    end if;
end
$$;
comment on function functions_private.revoke_serving(name) is 'Takes back the rights that serving needs.';
revoke all on function functions_private.revoke_serving(name) from public;
