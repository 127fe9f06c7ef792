-- functions_private.install_auth() -> whether the schema auth was created by (or belongs to) the installation
-- Creates auth.uid(), auth.role() and auth.jwt(), which policies written for Supabase call, unless the database has its own schema auth.
-- The schema's comment marks it as created here, which an uninstallation and the next run of this function check.
create or replace function functions_private.install_auth() returns boolean
language plpgsql set search_path = pg_catalog, pg_temp as $install$
declare
    mark constant text := 'Functions.PgSidecar: the names that policies written for Supabase call.';
    namespace oid := to_regnamespace('auth');
begin
    if namespace is not null and obj_description(namespace, 'pg_namespace') is distinct from mark then
        return false;
    end if;
    if namespace is null then
        create schema auth;
        execute format('comment on schema auth is %L', mark);
    end if;
    -- No pinned search_path: their only name is qualified, and so the planner can inline them.
    create or replace function auth.uid() returns uuid language sql stable parallel restricted as 'select functions.uid()';
    create or replace function auth.role() returns text language sql stable parallel restricted as 'select functions.role()';
    create or replace function auth.jwt() returns jsonb language sql stable parallel restricted as 'select functions.claims()';
    comment on function auth.uid() is 'functions.uid(), under the name that policies written for Supabase call.';
    comment on function auth.role() is 'functions.role(), under the name that policies written for Supabase call.';
    comment on function auth.jwt() is 'functions.claims(), under the name that policies written for Supabase call.';
    grant usage on schema auth to public;
    return true;
end
$install$;
comment on function functions_private.install_auth() is
    'Creates auth.uid(), auth.role() and auth.jwt(), unless the database has its own schema auth; true if created.';
revoke all on function functions_private.install_auth() from public;
