-- functions_private.sha256_stream(seed, size): sha256(seed || 0) || sha256(seed || 1) || ..., the counter in four bytes, big-endian.
-- It is MGF1 (RFC 8017, appendix B.2.1), and the cipher of sealed secrets.
create or replace function functions_private.sha256_stream(seed bytea, size integer) returns bytea
language sql immutable strict parallel safe set search_path = pg_catalog, pg_temp as $$
    select coalesce(substr(string_agg(sha256(seed || int4send(i)), ''::bytea order by i), 1, size), ''::bytea)
    from generate_series(0, (size - 1) / 32) i
    where size > 0
$$;
comment on function functions_private.sha256_stream(bytea, integer) is 'So many pseudo-random bytes, derived from the seed.';
revoke all on function functions_private.sha256_stream(bytea, integer) from public;
