-- functions_private.require_function(name) raises when no such function is deployed; locks its row, so that changes of one function queue up.
-- Not so strongly that they wait for transactions that only refer to it, as functions.invoke does with an idempotency key.
create or replace function functions_private.require_function(name text) returns void
language plpgsql set search_path = pg_catalog, pg_temp as $$
begin
    perform from functions_private.functions f where f.name = require_function.name for no key update;
    if not found then
        raise exception 'No function named % is deployed.', coalesce(to_json(name)::text, 'null') using errcode = 'undefined_object',
            hint = 'select name from functions.functions;';
    end if;
end
$$;
comment on function functions_private.require_function(text) is 'Locks the function''s row; raises undefined_object when there is none.';
revoke all on function functions_private.require_function(text) from public;
