-- functions.enable(name) enables a disabled function: it can be invoked again.
create or replace function functions.enable(name text) returns void
language plpgsql set search_path = pg_catalog, functions, pg_temp as $$
begin
    perform functions_private.require_function(enable.name);
    update functions_private.functions f set enabled = true, updated_at = now() where f.name = enable.name;
end
$$;
comment on function functions.enable(text) is 'Enables a disabled function.';
revoke all on function functions.enable(text) from public;
