-- functions_private.new_webhook_secret(scheme) -> a secret of 256 random bits in the form that the scheme uses. Raises for services that
-- issue the secret themselves.
create or replace function functions_private.new_webhook_secret(scheme text) returns text
language plpgsql volatile set search_path = pg_catalog, pg_temp as $$
begin
    if scheme in ('stripe', 'slack', 'shopify', 'twilio') then
        raise exception 'the scheme % needs the option secret', scheme using errcode = 'invalid_parameter_value',
            hint = case scheme
                when 'stripe' then 'Stripe shows the signing secret (whsec_...) of an endpoint in its dashboard.'
                when 'slack' then 'Slack shows the signing secret of an app under Basic Information.'
                when 'shopify' then 'It is the client secret of the app at Shopify.'
                else 'It is the auth token of the account at Twilio.' end;
    end if;
    return case when scheme in ('standard', 'svix')
        then 'whsec_' || encode(functions_private.random_key(), 'base64')
        else encode(functions_private.random_key(), 'hex') end;
end
$$;
comment on function functions_private.new_webhook_secret(text) is
    'A new secret in the form of a scheme; raises for services that issue their own.';
revoke all on function functions_private.new_webhook_secret(text) from public;
