-- functions_private.require_trigger(name) -> the trigger's row, locked; raises undefined_object when there is none. The table is locked before
-- its row, as create_trigger and drop_trigger do: a change of the row would ask for it afterwards, which is a deadlock with them.
create or replace function functions_private.require_trigger(name text) returns functions_private.triggers
language plpgsql set search_path = pg_catalog, pg_temp as $$
declare
    found_row functions_private.triggers;
begin
    lock table functions_private.triggers in row exclusive mode;
    select t.* into found_row from functions_private.triggers t where t.name = require_trigger.name for update;
    if not found then
        raise exception 'There is no trigger named %.', coalesce(to_json(name)::text, 'null') using errcode = 'undefined_object',
            hint = 'select name from functions.triggers;';
    end if;
    return found_row;
end
$$;
comment on function functions_private.require_trigger(text) is 'The trigger''s row, locked; raises undefined_object when there is none.';
revoke all on function functions_private.require_trigger(text) from public;
