-- functions.unset_secret(function, key) -> whether there was one. Removes a secret that set_secret set; a variable of the same key applies
-- again.
create or replace function functions.unset_secret(function text, key text) returns boolean
language plpgsql set search_path = pg_catalog, functions, pg_temp as $$
begin
    perform functions_private.require_function(unset_secret.function);
    delete from functions_private.secrets s where s.function = unset_secret.function and s.key = unset_secret.key;
    return found;
end
$$;
comment on function functions.unset_secret(text, text) is 'Removes a secret that functions.set_secret set; false if there was none.';
revoke all on function functions.unset_secret(text, text) from public;
