-- functions_private.random_key(): 32 unpredictable bytes. gen_random_uuid draws 122 bits from the server's strong source; four of them,
-- hashed.
create or replace function functions_private.random_key() returns bytea
language sql volatile parallel safe set search_path = pg_catalog, pg_temp as $$
    select sha256(uuid_send(gen_random_uuid()) || uuid_send(gen_random_uuid()) || uuid_send(gen_random_uuid())
        || uuid_send(gen_random_uuid()))
$$;
comment on function functions_private.random_key() is '32 bytes from the server''s strong source of randomness.';
revoke all on function functions_private.random_key() from public;
