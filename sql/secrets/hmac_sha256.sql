-- functions_private.hmac_sha256(key, message): RFC 2104 for a key of 32 bytes, the only length in use.
create or replace function functions_private.hmac_sha256(key bytea, message bytea) returns bytea
language sql immutable strict parallel safe set search_path = pg_catalog, functions_private, pg_temp as $$
    select sha256(
        functions_private.xor_bytes(padded, decode(repeat('5c', 64), 'hex'))
        || sha256(functions_private.xor_bytes(padded, decode(repeat('36', 64), 'hex')) || message))
    from (select key || decode(repeat('00', 64 - length(key)), 'hex') as padded) p
$$;
comment on function functions_private.hmac_sha256(bytea, bytea) is 'HMAC-SHA256 under a key of 32 bytes.';
revoke all on function functions_private.hmac_sha256(bytea, bytea) from public;
