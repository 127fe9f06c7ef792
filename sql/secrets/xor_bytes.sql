-- functions_private.xor_bytes(a, b): byte by byte; b is at least as long as a. Uses a set, not a loop of set_byte, which would copy the
-- value for each byte.
create or replace function functions_private.xor_bytes(a bytea, b bytea) returns bytea
language sql immutable strict parallel safe set search_path = pg_catalog, pg_temp as $$
    select coalesce(string_agg(set_byte('\x00', 0, get_byte(a, i) # get_byte(b, i)), ''::bytea order by i), ''::bytea)
    from generate_series(0, length(a) - 1) i
$$;
comment on function functions_private.xor_bytes(bytea, bytea) is 'The exclusive or of two byte strings; its length is that of the first.';
revoke all on function functions_private.xor_bytes(bytea, bytea) from public;
