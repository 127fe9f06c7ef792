-- functions_private.may_replicate() -> whether the current user may read the WAL and handle replication slots itself. Amazon RDS gives
-- nobody the attribute REPLICATION; members of its role rds_replication may replicate.
create or replace function functions_private.may_replicate() returns boolean
language sql stable set search_path = pg_catalog, pg_temp as $$
    select r.rolsuper or r.rolreplication
        or exists (select from pg_roles g where g.rolname = 'rds_replication' and pg_has_role(r.oid, g.oid, 'member'))
    from pg_roles r where r.rolname = current_user
$$;
comment on function functions_private.may_replicate() is 'Whether the current user may handle replication slots itself.';
revoke all on function functions_private.may_replicate() from public;
