-- functions_private.notify_webhook_changed(): trigger that notifies the sidecars of changed webhooks on the channel functions_webhooks; the
-- payload is the webhook's name.
create or replace function functions_private.notify_webhook_changed() returns trigger
language plpgsql set search_path = pg_catalog, pg_temp as $$
declare
    changed jsonb := to_jsonb(case when tg_op = 'DELETE' then old else new end);
begin
    perform pg_notify('functions_webhooks', coalesce(changed ->> 'webhook', changed ->> 'name'));
    return null;
end
$$;
comment on function functions_private.notify_webhook_changed() is 'Trigger: notifies the sidecars that a webhook has changed.';
revoke all on function functions_private.notify_webhook_changed() from public;

create or replace trigger notify_webhook_changed after insert or update or delete on functions_private.webhooks
    for each row execute function functions_private.notify_webhook_changed();
create or replace trigger notify_webhook_changed after insert or update or delete on functions_private.webhook_secrets
    for each row execute function functions_private.notify_webhook_changed();
