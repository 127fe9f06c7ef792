-- functions_private.slot_holders() -> the transactions that block creating the replication slot: one line each. Those of other databases
-- count as well.
create or replace function functions_private.slot_holders() returns text
language sql stable set search_path = pg_catalog, pg_temp as $$
    select coalesce(string_agg(line, e'\n' order by line), 'They have ended meanwhile.')
    from (select format('pid %s (%s, %s): in a transaction for %s s in database %s', a.pid, coalesce(a.usename, '?'),
        coalesce(nullif(a.application_name, ''), 'no application name'),
                 round(extract(epoch from clock_timestamp() - a.xact_start)), a.datname) as line
          from pg_stat_activity a where a.backend_xid is not null and a.pid <> pg_backend_pid()
          union all
          select format('the prepared transaction %L of %s in database %s', p.gid, p.owner, p.database) from pg_prepared_xacts p) as lines
$$;
comment on function functions_private.slot_holders() is 'The transactions that block creating the replication slot, one line each.';
revoke all on function functions_private.slot_holders() from public;
