-- functions.drop_webhook(webhook): removes a webhook with its secrets. Its senders get 404 from then on. Events that it has accepted are
-- still delivered.
create or replace function functions.drop_webhook(webhook text) returns void
language plpgsql set search_path = pg_catalog, functions, pg_temp as $$
begin
    perform functions_private.require_webhook(drop_webhook.webhook);
    delete from functions_private.webhooks w where w.name = drop_webhook.webhook;
    delete from functions_private.webhook_deliveries d where d.webhook = drop_webhook.webhook;
end
$$;
comment on function functions.drop_webhook(text) is
    'Drops a webhook with its secrets; its senders get 404. Events that it has accepted are still delivered.';
revoke all on function functions.drop_webhook(text) from public;
