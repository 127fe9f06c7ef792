-- functions_private.lock_holders(relation) -> the transactions that block creating a trigger on a table: one line each, with pid, duration
-- and statement. With null: the transactions that block any change of triggers.
create or replace function functions_private.lock_holders(relation regclass) returns text
language sql stable set search_path = pg_catalog, pg_temp as $$
    with holders as (
        select distinct l.pid from pg_locks l
        where l.locktype = 'relation' and l.granted and l.pid <> pg_backend_pid()
          and l.database = (select d.oid from pg_database d where d.datname = current_database())
          and (l.relation in (select w from functions_private.writable_tables(lock_holders.relation) w)
              and l.mode <> 'ShareUpdateExclusiveLock'
            or l.relation = 'functions_private.triggers'::regclass and l.mode not in ('AccessShareLock', 'RowShareLock'))
    )
    select coalesce(string_agg(line, e'\n' order by line), 'They have ended meanwhile.')
    from (select format('pid %s (%s, %s): %s for %s s, %s: %s', h.pid, coalesce(a.usename, '?'),
        coalesce(nullif(a.application_name, ''), 'no application name'),
                 'in a transaction', coalesce(round(extract(epoch from clock_timestamp() - a.xact_start)), 0), coalesce(a.state, '?'),
                     coalesce(left(a.query, 200), '?')) as line
          from holders h left join pg_stat_activity a on a.pid = h.pid
          union all
          select format('the prepared transaction %L of %s', p.gid, p.owner)
          from pg_prepared_xacts p join pg_locks l on l.virtualtransaction = '-1/' || p.transaction::text
          where l.relation in (select w from functions_private.writable_tables(lock_holders.relation) w)
             or l.relation = 'functions_private.triggers'::regclass and l.mode not in ('AccessShareLock', 'RowShareLock')) as lines
$$;
comment on function functions_private.lock_holders(regclass) is 'The transactions that block creating a trigger on a table, one line each.';
revoke all on function functions_private.lock_holders(regclass) from public;
