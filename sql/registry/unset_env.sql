-- functions.unset_env(function, key) -> whether there was one. Removes a variable that set_env set; a value of the option env applies
-- again.
create or replace function functions.unset_env(function text, key text) returns boolean
language plpgsql set search_path = pg_catalog, functions, pg_temp as $$
begin
    perform functions_private.require_function(unset_env.function);
    delete from functions_private.environment e where e.function = unset_env.function and e.key = unset_env.key;
    return found;
end
$$;
comment on function functions.unset_env(text, text) is 'Removes a variable that functions.set_env set; false if there was none.';
revoke all on function functions.unset_env(text, text) from public;
