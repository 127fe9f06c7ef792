-- functions.rotate_webhook(webhook, options) -> the new secret, shown this once; null if it was given
-- Gives a webhook another secret. The former ones are accepted for a while longer, so that the sender can be changed without a pause.
--   secret            the new secret that the sender issued; else one is made, except for stripe, slack, shopify and twilio
--   overlap_seconds   how long the former secrets stay valid: 0-2592000 (86400, a day); those that end earlier still do
create or replace function functions.rotate_webhook(webhook text, options jsonb default '{}') returns text
language plpgsql set search_path = pg_catalog, functions, pg_temp as $$
declare
    scheme text := functions_private.require_webhook(rotate_webhook.webhook);
    overlap integer;
    made text;
begin
    perform functions_private.check_options(options, '{"secret": "text", "overlap_seconds": [0, 2592000]}', '{"overlap_seconds": 3600}');
    overlap := coalesce((options ->> 'overlap_seconds')::integer, 86400);
    if options ->> 'secret' is null then
        made := functions_private.new_webhook_secret(scheme);
    else
        perform functions_private.validate_webhook_secret(scheme, options ->> 'secret');
    end if;

    delete from functions_private.webhook_secrets s
    where s.webhook = rotate_webhook.webhook and (overlap = 0 or s.expires_at <= now());
    update functions_private.webhook_secrets s set expires_at = now() + overlap * interval '1 second'
    where s.webhook = rotate_webhook.webhook and (s.expires_at is null or s.expires_at > now() + overlap * interval '1 second');
    if (select count(*) from functions_private.webhook_secrets s where s.webhook = rotate_webhook.webhook) >= 8 then
        raise exception 'Webhook % has 8 valid secrets already.', to_json(rotate_webhook.webhook)
            using errcode = 'program_limit_exceeded',
            hint = 'Rotate with {"overlap_seconds": 0}, which ends the former ones, or wait for the end of their overlap.';
    end if;
    perform functions_private.add_webhook_secret(rotate_webhook.webhook, coalesce(options ->> 'secret', made));
    return made;
end
$$;
comment on function functions.rotate_webhook(text, jsonb) is
    'Gives a webhook another secret and returns it, once; former secrets stay valid for a day. Options: secret, overlap_seconds.';
revoke all on function functions.rotate_webhook(text, jsonb) from public;
