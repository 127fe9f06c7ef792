-- functions_private.validate_host(pattern) raises unless the pattern is [scheme://]host[:port], the host a name, *.name, an address,
-- localhost or *. The sidecar's class HostPattern accepts every pattern that passes here.
create or replace function functions_private.validate_host(pattern text) returns void
language plpgsql immutable set search_path = pg_catalog, pg_temp as $$
declare
    label constant text := '[a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9_])?';
    name constant text := '^(https?://)?(\*|(\*\.)?(' || label || '\.)*' || label || ')(:[0-9]{1,5})?$';
    ipv6 constant text := '^(https?://)?\[([0-9a-f:.]+)\](:[0-9]{1,5})?$';
    port constant integer := coalesce((regexp_match(pattern, ':([0-9]{1,5})$'))[1]::integer, 1);
begin
    if length(pattern) <= 260 and port between 1 and 65535 then
        if pattern ~* name and pattern !~ '\*\.[0-9.]+(:[0-9]+)?$' then
            return;
        elsif pattern ~* ipv6 then
            begin
                perform (regexp_match(pattern, ipv6, 'i'))[2]::inet;
                return;
            exception when invalid_text_representation then
                null;
            end;
        end if;
    end if;
    raise exception '% is not a host pattern', coalesce(to_json(left(pattern, 80))::text, 'null') using errcode = 'invalid_parameter_value',
        hint = 'Write api.example.com, *.example.com, api.example.com:8443, http://localhost:3000, [2001:db8::1], or * for every public host.';
end
$$;
comment on function functions_private.validate_host(text) is 'Raises unless the text is a host pattern as functions.allow_host takes it.';
revoke all on function functions_private.validate_host(text) from public;
