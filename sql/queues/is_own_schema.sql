-- functions_private.is_own_schema(name) -> whether the installation created a schema outside of its two own ones and may change it
create or replace function functions_private.is_own_schema(name text) returns boolean
language sql stable set search_path = pg_catalog, pg_temp as $$
    select exists (
        select from pg_namespace n
        where n.nspname = name and obj_description(n.oid, 'pg_namespace') like 'Functions.PgSidecar:%'
          and n.nspowner = (select f.nspowner from pg_namespace f where f.nspname = 'functions_private')
          and not exists (select from pg_extension e where e.extname = name))
$$;
comment on function functions_private.is_own_schema(text) is 'Whether the installation created a schema and may change it.';
revoke all on function functions_private.is_own_schema(text) from public;
