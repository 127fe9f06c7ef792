-- functions_private.rsa_encrypt(modulus, message): RSAES-OAEP with SHA-256, MGF1-SHA-256 and no label (RFC 8017, section 7.1.1); the
-- exponent is 65537. In numeric arithmetic, which is exact at any size. Its duration depends on no secret that an observer of the session
-- could not see anyway.
create or replace function functions_private.rsa_encrypt(modulus numeric, message bytea) returns bytea
language plpgsql volatile strict set search_path = pg_catalog, functions_private, pg_temp as $$
declare
    word constant numeric := 4294967296;
    size constant integer := ceil(log(256, modulus))::integer;
    seed constant bytea := functions_private.random_key();
    masked_block bytea;
    encoded bytea;
    m numeric := 0;
    c numeric;
    words bytea[] := '{}';
begin
    if length(message) > size - 66 then
        raise exception 'a message of % bytes is too long for this key', length(message) using errcode = 'program_limit_exceeded';
    end if;
    masked_block := functions_private.xor_bytes(
        sha256(''::bytea) || decode(repeat('00', size - 66 - length(message)), 'hex') || '\x01'::bytea || message,
        functions_private.sha256_stream(seed, size - 33));
    encoded := '\x00'::bytea
        || functions_private.xor_bytes(seed, functions_private.sha256_stream(masked_block, 32))
        || masked_block;

    for i in 0 .. size / 4 - 1 loop
        m := m * word + ('x' || encode(substr(encoded, i * 4 + 1, 4), 'hex'))::bit(32)::bigint;
    end loop;
    c := m;
    for i in 1 .. 16 loop
        c := mod(c * c, modulus);
    end loop;
    c := mod(c * m, modulus);
    for i in 1 .. size / 4 loop
        words := substr(int8send(mod(c, word)::bigint), 5) || words;
        c := div(c, word);
    end loop;
    return (select string_agg(w, ''::bytea order by n) from unnest(words) with ordinality u (w, n));
end
$$;
comment on function functions_private.rsa_encrypt(numeric, bytea) is
    'RSA-OAEP (SHA-256) under a public key of exponent 65537 whose size is a multiple of 32 bits.';
revoke all on function functions_private.rsa_encrypt(numeric, bytea) from public;
