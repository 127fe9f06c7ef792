-- functions_private.base64url(bytes): RFC 4648, 5, without padding.
create or replace function functions_private.base64url(bytes bytea) returns text
language sql immutable strict parallel safe set search_path = pg_catalog, pg_temp as $$
    select translate(encode(bytes, 'base64'), '+/=' || chr(10), '-_')
$$;
comment on function functions_private.base64url(bytea) is 'Bytes in base64url.';
revoke all on function functions_private.base64url(bytea) from public;
