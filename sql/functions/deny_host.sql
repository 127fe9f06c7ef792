-- functions.deny_host(function, pattern) -> was it allowed. Takes back what allow_host gave; the option allow_hosts is the version's own.
create or replace function functions.deny_host(function text, pattern text) returns boolean
language plpgsql set search_path = pg_catalog, functions, pg_temp as $$
begin
    perform functions_private.require_function(deny_host.function);
    delete from functions_private.hosts h where h.function = deny_host.function and h.pattern = lower(deny_host.pattern);
    return found;
end
$$;
comment on function functions.deny_host(text, text) is 'Takes back a pattern that functions.allow_host gave; false when it was not there.';
revoke all on function functions.deny_host(text, text) from public;
