-- functions_private.validate_host(pattern) raises unless the pattern is a host name or address, optionally below "*." and with a port, or "*".
create or replace function functions_private.validate_host(pattern text) returns void
language plpgsql immutable set search_path = pg_catalog, pg_temp as $$
declare
    name constant text := '^(\*\.)?([a-z0-9_]([a-z0-9_-]*[a-z0-9_])?\.)*[a-z0-9_]([a-z0-9_-]*[a-z0-9_])?(:[0-9]{1,5})?$';
    ipv6 constant text := '^\[[0-9a-f:.]+\](:[0-9]{1,5})?$';
begin
    if pattern = '*' or length(pattern) <= 260 and (pattern ~* name or pattern ~* ipv6) then
        return;
    end if;
    raise exception '% is not a host pattern', coalesce(to_json(left(pattern, 80))::text, 'null') using errcode = 'invalid_parameter_value',
        hint = 'Write api.example.com, *.example.com, api.example.com:8443, [2001:db8::1], or * for every public host.';
end
$$;
comment on function functions_private.validate_host(text) is 'Raises unless the text is a host pattern as functions.allow_host takes it.';
revoke all on function functions_private.validate_host(text) from public;
