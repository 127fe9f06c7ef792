-- functions.disable(name) disables a function until it is enabled: requests get 404 and no event fires it; running invocations finish.
create or replace function functions.disable(name text) returns void
language plpgsql set search_path = pg_catalog, functions, pg_temp as $$
begin
    perform functions_private.require_function(disable.name);
    update functions_private.functions f set enabled = false, updated_at = now() where f.name = disable.name;
end
$$;
comment on function functions.disable(text) is 'Disables a function until functions.enable: it is not invoked; running invocations finish.';
revoke all on function functions.disable(text) from public;
