-- functions.disable_webhook(webhook): its senders get 404 until functions.enable_webhook. To accept and keep what they post while the
-- function is repaired, disable the function instead: functions.disable.
create or replace function functions.disable_webhook(webhook text) returns void
language plpgsql set search_path = pg_catalog, functions, pg_temp as $$
begin
    perform functions_private.require_webhook(disable_webhook.webhook);
    update functions_private.webhooks w set enabled = false, updated_at = now() where w.name = disable_webhook.webhook and w.enabled;
end
$$;
comment on function functions.disable_webhook(text) is
    'Disables a webhook: its senders get 404. To keep what they post, disable its function instead.';
revoke all on function functions.disable_webhook(text) from public;
