-- functions.enable_webhook(webhook): accepts what its senders post again.
create or replace function functions.enable_webhook(webhook text) returns void
language plpgsql set search_path = pg_catalog, functions, pg_temp as $$
begin
    perform functions_private.require_webhook(enable_webhook.webhook);
    update functions_private.webhooks w set enabled = true, updated_at = now() where w.name = enable_webhook.webhook and not w.enabled;
end
$$;
comment on function functions.enable_webhook(text) is 'Enables a webhook: what its senders post is accepted again.';
revoke all on function functions.enable_webhook(text) from public;
