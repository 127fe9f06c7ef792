-- functions_private.is_trusted_owner(owner) -> whether code of this role may run as the sidecar's own login: the installation's owner, and
-- superusers
create or replace function functions_private.is_trusted_owner(owner oid) returns boolean
language sql stable set search_path = pg_catalog, pg_temp as $$
    select exists (
        select from pg_roles r where r.oid = is_trusted_owner.owner
          and (r.rolsuper or r.oid = (select n.nspowner from pg_namespace n where n.nspname = 'functions_private')))
$$;
comment on function functions_private.is_trusted_owner(oid) is 'Whether code of a role may run as the sidecar''s own login.';
revoke all on function functions_private.is_trusted_owner(oid) from public;
