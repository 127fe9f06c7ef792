-- functions_private.prepare_once(name, types, statement): prepares a statement, unless the session has one of this name already. The name
-- has at most 63 bytes.
-- Planning a statement on a queue's table takes several times as long as a claim of a few messages. Each prepared statement takes about
-- 0.1 MB of the server's memory, so a session that works for many queues gives up the oldest ones.
create or replace function functions_private.prepare_once(name text, types text, statement text) returns void
language plpgsql set search_path = pg_catalog, pg_temp as $$
declare
    most constant integer := 64;
    names text[] := array(select p.name from pg_prepared_statements p where p.from_sql order by p.prepare_time);
begin
    if name = any (names) then
        return;
    end if;
    if cardinality(names) >= most then
        execute format('deallocate %I', names[1]);
    end if;
    execute format('prepare %I (%s) as %s', name, types, statement);
end
$$;
comment on function functions_private.prepare_once(text, text, text) is 'Prepares a statement, unless the session has prepared it before.';
revoke all on function functions_private.prepare_once(text, text, text) from public;
