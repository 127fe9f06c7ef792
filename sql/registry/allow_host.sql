-- functions.allow_host(function, pattern): lets the function fetch from hosts that match: [scheme://]host[:port], where the host is a name,
-- *.name, an address, localhost, or * for every public name. https is meant unless http:// is written (localhost and addresses: either).
create or replace function functions.allow_host(function text, pattern text) returns void
language plpgsql set search_path = pg_catalog, functions, pg_temp as $$
begin
    perform functions_private.require_function(allow_host.function);
    perform functions_private.validate_host(allow_host.pattern);
    insert into functions_private.hosts (function, pattern) values (allow_host.function, lower(allow_host.pattern)) on conflict do nothing;
end
$$;
comment on function functions.allow_host(text, text) is
    'Allows a function to fetch from a host, or from all hosts of a domain: *.example.com.';
revoke all on function functions.allow_host(text, text) from public;
