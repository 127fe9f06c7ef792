-- functions_private.seal_secret(function, key, value) encrypts a secret so that only a sidecar can decrypt it, and only as this secret of
-- this function. version 1 || key id (8) || RSA-OAEP(content key) || ciphertext || HMAC-SHA256; the class SecretBox is the other half and
-- says more.
create or replace function functions_private.seal_secret(function text, key text, value text) returns bytea
language plpgsql volatile set search_path = pg_catalog, functions_private, pg_temp as $$
declare
    modulus text := (select s.value::jsonb ->> 'modulus' from functions_private.settings s where s.key = 'secrets.key_pair');
    content_key bytea := functions_private.random_key();
    plain bytea := convert_to(value, 'UTF8');
    name_of_function bytea := convert_to(function, 'UTF8');
    name_of_key bytea := convert_to(key, 'UTF8');
    head bytea;
    body bytea;
begin
    if modulus is null then
        raise exception 'this database has no key for secrets yet' using errcode = 'object_not_in_prerequisite_state',
            hint = 'The first sidecar that starts on it makes one; start it, then set the secret.';
    end if;
    head := '\x01'::bytea || substr(sha256(convert_to(modulus, 'UTF8')), 1, 8)
        || functions_private.rsa_encrypt(modulus::numeric, content_key);
    body := functions_private.xor_bytes(plain, functions_private.sha256_stream(content_key || '\x01'::bytea, length(plain)));
    return head || body || functions_private.hmac_sha256(
        sha256(content_key || '\x02'::bytea),
        head || int4send(length(name_of_function)) || name_of_function || int4send(length(name_of_key)) || name_of_key || body);
end
$$;
comment on function functions_private.seal_secret(text, text, text) is
    'Encrypts a secret so that only sidecars of this database can decrypt it.';
revoke all on function functions_private.seal_secret(text, text, text) from public;
