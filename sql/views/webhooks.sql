create or replace view functions.webhooks as
select w.name, w.function, w.scheme, '/functions/v1/webhook/' || w.name as path, w.enabled, w.respond, w.role, w.tolerance_seconds,
       w.dedupe_seconds, w.max_body_bytes, w.public_url, s.valid_secrets, s.rotated_at, s.former_secrets_until, w.created_at, w.updated_at
from functions_private.webhooks w cross join lateral (
    select count(*) as valid_secrets, max(s.created_at) as rotated_at, max(s.expires_at) as former_secrets_until
    from functions_private.webhook_secrets s where s.webhook = w.name and (s.expires_at is null or s.expires_at > now())) s;
comment on view functions.webhooks is 'The webhooks: path, function, scheme and options. The secrets themselves are shown nowhere.';
