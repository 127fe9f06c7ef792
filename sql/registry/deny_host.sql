-- functions.deny_host(function, pattern) -> whether the pattern was allowed. Reverses allow_host; hosts of the option allow_hosts belong to
-- the version.
create or replace function functions.deny_host(function text, pattern text) returns boolean
language plpgsql set search_path = pg_catalog, functions, pg_temp as $$
begin
    perform functions_private.require_function(deny_host.function);
    delete from functions_private.hosts h where h.function = deny_host.function and h.pattern = lower(deny_host.pattern);
    return found;
end
$$;
comment on function functions.deny_host(text, text) is 'Removes a pattern that functions.allow_host added; false if there was none.';
revoke all on function functions.deny_host(text, text) from public;
