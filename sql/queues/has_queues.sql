-- functions_private.has_queues() -> whether the database has queues: a schema pgmq whose code is the installation's, or that of the
-- extension pgmq, if the caller may use it. Code of anybody but the owner of the installation and superusers does not count, because it
-- would run as the sidecar's own login.
create or replace function functions_private.has_queues() returns boolean
language sql stable set search_path = pg_catalog, pg_temp as $$
    select functions_private.is_own_schema('pgmq') or exists (
        select from pg_extension e join pg_namespace n on n.oid = e.extnamespace and n.nspname = 'pgmq'
        where e.extname = 'pgmq' and has_schema_privilege(n.oid, 'usage')
          and functions_private.is_trusted_owner(e.extowner) and functions_private.is_trusted_owner(n.nspowner))
$$;
comment on function functions_private.has_queues() is 'Whether the database has queues, and whose code is trusted.';
revoke all on function functions_private.has_queues() from public;
