-- functions_private.validate_webhook_secret(scheme, secret) raises unless a scheme can use the secret. The error never contains it.
create or replace function functions_private.validate_webhook_secret(scheme text, secret text) returns void
language plpgsql immutable set search_path = pg_catalog, pg_temp as $$
declare
    encoded text;
    size integer;
begin
    if scheme not in ('standard', 'svix') then
        if length(secret) not between 8 and 512 then
            raise exception 'the option secret has % characters; it must have 8 to 512', length(secret)
                using errcode = 'invalid_parameter_value', hint = 'A shorter secret can be guessed from one signed request.';
        end if;
        return;
    end if;
    if secret like 'whsk\_%' then
        raise exception 'the option secret is the sender''s private key (whsk_...)' using errcode = 'invalid_parameter_value',
            hint = 'Give the public key, whpk_..., and leave the private key with the sender.';
    end if;
    encoded := regexp_replace(secret, '^(whsec|whpk)_', '');
    if encoded !~ '^[A-Za-z0-9+/]+={0,2}$' or length(encoded) % 4 <> 0 then
        raise exception 'the option secret is not base64, or is empty' using errcode = 'invalid_parameter_value',
            hint = 'The scheme ' || scheme || ' uses whsec_ and base64, or whpk_ and the base64 of an Ed25519 public key. '
                || 'For any other text: the scheme hmac.';
    end if;
    size := length(decode(encoded, 'base64'));
    if secret like 'whpk\_%' and size <> 32 then
        raise exception 'the option secret has % bytes after whpk_; an Ed25519 public key has 32', size
            using errcode = 'invalid_parameter_value';
    elsif size not between 16 and 512 then
        raise exception 'the option secret has % bytes; it must have 16 to 512', size using errcode = 'invalid_parameter_value',
            hint = 'A shorter secret can be guessed from one signed request.';
    end if;
end
$$;
comment on function functions_private.validate_webhook_secret(text, text) is 'Raises unless a scheme of webhooks can use the secret.';
revoke all on function functions_private.validate_webhook_secret(text, text) from public;
