-- functions_private.add_webhook_secret(webhook, secret) seals a secret and stores it, valid until another one replaces it. It is sealed
-- for this webhook: the name of a function can't contain a slash, so it can't be moved to a function's secrets or to another webhook.
create or replace function functions_private.add_webhook_secret(webhook text, secret text) returns void
language sql set search_path = pg_catalog, pg_temp as $$
    insert into functions_private.webhook_secrets (webhook, sealed)
    values (add_webhook_secret.webhook,
        functions_private.seal_secret('webhook/' || add_webhook_secret.webhook, 'secret', add_webhook_secret.secret))
$$;
comment on function functions_private.add_webhook_secret(text, text) is 'Seals a secret for a webhook and stores it.';
revoke all on function functions_private.add_webhook_secret(text, text) from public;
