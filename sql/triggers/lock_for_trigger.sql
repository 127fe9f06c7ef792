-- functions_private.lock_for_trigger(relation, operations, with_old) takes the locks for creating a trigger, so that every transaction that
-- writes to the table afterwards fires for all of its changes. Waits at most 5 s for transactions that have written to the table, and,
-- where the replica identity changes, for those that have read it. After that the error lists them.
create or replace function functions_private.lock_for_trigger(relation regclass, operations text[], with_old boolean) returns void
language plpgsql set search_path = pg_catalog, pg_temp set lock_timeout = '5s' as $$
declare
    written regclass;
    is_changed boolean := operations && array['UPDATE', 'DELETE'] and exists (
        select from functions_private.with_leaves(relation) l join pg_class c on c.oid = l
        where c.relreplident <> 'f' and functions_private.identity_wanted(l, with_old) = 'full');
begin
    lock table functions_private.triggers in share row exclusive mode;
    -- Parents first: a statement that names a parent locks it before the table.
    for written in select w from functions_private.writable_tables(relation) w loop
        exit when written = relation;
        if not exists (select from pg_trigger t where t.tgrelid = written and t.tgname = 'functions_capture_context') then
            execute format('lock table only %s in share row exclusive mode', written);
        end if;
    end loop;
    -- Take the strongest lock that will be needed at once. Raising it later deadlocks with a session that has read the table and then
    -- writes to it, since that session comes before a waiting lock. LOCK takes the table first and then its partitions, as every other
    -- statement does.
    execute format('lock table %s in %s mode', relation, case when is_changed then 'access exclusive' else 'share row exclusive' end);
exception when lock_not_available then
    raise exception 'A trigger on % can''t be made at the moment: other transactions have used the table, and did not end within 5 s.',
        relation
        using errcode = 'lock_not_available', detail = functions_private.lock_holders(relation),
              hint = 'Try again when they have ended, or end them: select pg_terminate_backend(pid);';
end
$$;
comment on function functions_private.lock_for_trigger(regclass, text[], boolean) is
    'Takes the locks for creating a trigger on a table; waits at most 5 s.';
revoke all on function functions_private.lock_for_trigger(regclass, text[], boolean) from public;
