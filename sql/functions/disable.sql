-- functions.disable(name): the function answers 404 and fires no more until it is enabled; what runs, finishes.
create or replace function functions.disable(name text) returns void
language plpgsql set search_path = pg_catalog, functions, pg_temp as $$
begin
    perform functions_private.require_function(disable.name);
    update functions_private.functions f set enabled = false, updated_at = now() where f.name = disable.name;
end
$$;
comment on function functions.disable(text) is 'Stops a function from being invoked until functions.enable; running invocations finish.';
revoke all on function functions.disable(text) from public;
