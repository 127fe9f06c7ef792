-- functions_private.require_trigger(name) -> the trigger's row, locked; raises undefined_object when it does not exist. Locks the table
-- before the row, as create_trigger and drop_trigger do: the other order would deadlock with them. Waits at most 5 s.
create or replace function functions_private.require_trigger(name text) returns functions_private.triggers
language plpgsql set search_path = pg_catalog, pg_temp set lock_timeout = '5s' as $$
declare
    found_row functions_private.triggers;
begin
    begin
        lock table functions_private.triggers in row exclusive mode;
        select t.* into found_row from functions_private.triggers t where t.name = require_trigger.name for update;
    exception when lock_not_available then
        raise exception 'Trigger % can''t be changed at the moment: another transaction has changed some, and did not end within 5 s.',
            to_json(name)
            using errcode = 'lock_not_available', detail = functions_private.lock_holders(null),
                  hint = 'Try again when it has ended, or end it: select pg_terminate_backend(pid);';
    end;
    if found_row.id is null then
        perform functions_private.raise_missing('trigger', name, array(select t.name from functions_private.triggers t));
    end if;
    return found_row;
end
$$;
comment on function functions_private.require_trigger(text) is
    'The trigger''s row, locked; raises undefined_object when it does not exist.';
revoke all on function functions_private.require_trigger(text) from public;
