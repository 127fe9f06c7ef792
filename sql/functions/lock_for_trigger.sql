-- functions_private.lock_for_trigger(relation, operations, with_old) takes the locks under which a trigger is made, so that every transaction that writes to
-- the table from then on fires with all of its changes. It waits for those that have written to the table, and where the replica identity changes for
-- those that have read it, for 5 s at most; then it says who they are.
create or replace function functions_private.lock_for_trigger(relation regclass, operations text[], with_old boolean) returns void
language plpgsql set search_path = pg_catalog, pg_temp set lock_timeout = '5s' as $$
declare
    written regclass;
    is_changed boolean := operations && array['UPDATE', 'DELETE'] and exists (
        select from functions_private.with_leaves(relation) l join pg_class c on c.oid = l
        where c.relreplident <> 'f' and functions_private.identity_wanted(l, with_old) = 'full');
begin
    lock table functions_private.triggers in share row exclusive mode;
    -- What it inherits from comes first: whoever names that locks it before the table.
    for written in select w from functions_private.writable_tables(relation) w loop
        exit when written = relation;
        if not exists (select from pg_trigger t where t.tgrelid = written and t.tgname = 'functions_capture_context') then
            execute format('lock table only %s in share row exclusive mode', written);
        end if;
    end loop;
    -- The strongest lock that will be needed, at once: raised later, it is a deadlock with who has read the table and goes on to write it. That
    -- one goes before a lock that waits. LOCK takes the table first and then its partitions, as every other statement does.
    execute format('lock table %s in %s mode', relation, case when is_changed then 'access exclusive' else 'share row exclusive' end);
exception when lock_not_available then
    raise exception 'A trigger on % can''t be made at the moment: other transactions have used the table, and did not end within 5 s.', relation
        using errcode = 'lock_not_available', detail = functions_private.lock_holders(relation),
              hint = 'Try again when they have ended, or end them: select pg_terminate_backend(pid);';
end
$$;
comment on function functions_private.lock_for_trigger(regclass, text[], boolean) is 'Takes the locks under which a trigger is made; waits 5 s at most.';
revoke all on function functions_private.lock_for_trigger(regclass, text[], boolean) from public;
