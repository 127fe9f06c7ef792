-- functions.unset_secret(function, key) -> was there one. Takes away what set_secret gave; a variable of the same key shows again.
create or replace function functions.unset_secret(function text, key text) returns boolean
language plpgsql set search_path = pg_catalog, functions, pg_temp as $$
begin
    perform functions_private.require_function(unset_secret.function);
    delete from functions_private.secrets s where s.function = unset_secret.function and s.key = unset_secret.key;
    return found;
end
$$;
comment on function functions.unset_secret(text, text) is 'Takes away a secret that functions.set_secret gave; false when there was none.';
revoke all on function functions.unset_secret(text, text) from public;
