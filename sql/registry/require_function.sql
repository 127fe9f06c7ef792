-- functions_private.require_function(name) raises when the function does not exist; locks its row, so that changes of one function run one
-- after another. The lock is weak enough not to wait for transactions that only reference the row, as functions.invoke does with an
-- idempotency key.
create or replace function functions_private.require_function(name text) returns void
language plpgsql set search_path = pg_catalog, pg_temp as $$
begin
    perform from functions_private.functions f where f.name = require_function.name for no key update;
    if not found then
        perform functions_private.raise_missing('function', name, array(select f.name from functions_private.functions f));
    end if;
end
$$;
comment on function functions_private.require_function(text) is
    'Locks the function''s row; raises undefined_object when it does not exist.';
revoke all on function functions_private.require_function(text) from public;
