-- functions.create_webhook(webhook, function, options) -> the secret, shown this once; null if there is no new one
-- From now on, what a sender posts to /functions/v1/webhook/{webhook} and signs with the secret fires the function. Called again for an
-- existing webhook, it changes it: options that are not given return to their defaults, the secret stays, and null is returned.
--   scheme            standard (the default; standardwebhooks.com), svix, github, stripe, slack, shopify, twilio, or hmac
--                     (X-Webhook-Signature: sha256=<hexadecimal HMAC-SHA256 of the body>)
--   secret            the secret that the sender issued; else a new one is made, except for stripe, slack, shopify and twilio, which
--                     issue their own. Of an existing webhook, it replaces all former secrets at once (see functions.rotate_webhook).
--   role              the role that the function runs as (default: the function's option role, else anon)
--   respond           true: the function's answer is the answer to the sender, instead of 202 as soon as the event is stored
--   tolerance_seconds how far the signed time may be from the present: 1-3600 (300); for standard, svix, stripe and slack
--   dedupe_seconds    how long a delivery's id is remembered, so that its repetition runs nothing: 600-2592000 (86400), 0: not at all
--   max_body_bytes    1-10485760 (1048576)
--   public_url        the URL to which the sender posts, if a proxy changes it; twilio signs it
create or replace function functions.create_webhook(webhook text, function text, options jsonb default '{}') returns text
language plpgsql set search_path = pg_catalog, functions, pg_temp as $$
declare
    former functions_private.webhooks;
    wanted text;
    given text;
    made text;
begin
    if webhook is null or webhook !~ '^[a-z][a-z0-9_-]{0,63}$' then
        raise exception '% is not a webhook name', coalesce(to_json(left(webhook, 80))::text, 'null') using errcode = 'invalid_name',
            hint = 'A name starts with a letter, has lower-case letters, digits, _ and -, and at most 64 of them.';
    end if;
    perform functions_private.validate_webhook_options(options);
    perform functions_private.require_function(create_webhook.function);
    wanted := coalesce(options ->> 'scheme', 'standard');
    given := options ->> 'secret';
    select w.* into former from functions_private.webhooks w where w.name = create_webhook.webhook for update;
    if given is not null then
        perform functions_private.validate_webhook_secret(wanted, given);
    elsif former.scheme is distinct from wanted then
        made := functions_private.new_webhook_secret(wanted);
    end if;

    insert into functions_private.webhooks as w
        (name, function, scheme, role, tolerance_seconds, respond, max_body_bytes, public_url, dedupe_seconds)
    values (create_webhook.webhook, create_webhook.function, wanted, options ->> 'role',
        coalesce((options ->> 'tolerance_seconds')::integer, 300), coalesce((options ->> 'respond')::boolean, false),
        coalesce((options ->> 'max_body_bytes')::integer, 1048576), options ->> 'public_url',
        coalesce((options ->> 'dedupe_seconds')::integer, 86400))
    on conflict (name) do update set function = excluded.function, scheme = excluded.scheme, role = excluded.role,
        tolerance_seconds = excluded.tolerance_seconds, respond = excluded.respond, max_body_bytes = excluded.max_body_bytes,
        public_url = excluded.public_url, dedupe_seconds = excluded.dedupe_seconds, updated_at = now();
    if coalesce(given, made) is not null then
        delete from functions_private.webhook_secrets s where s.webhook = create_webhook.webhook;
        perform functions_private.add_webhook_secret(create_webhook.webhook, coalesce(given, made));
    end if;
    if options ->> 'role' is null and not exists (
        select from functions_private.functions f
        join functions_private.versions v on v.function = f.name and v.version = f.active_version
        where f.name = create_webhook.function and v.options ->> 'role' is not null)
    then
        raise notice 'Function % runs as anon for webhook %, because a sender is no user of the database.',
            create_webhook.function, create_webhook.webhook
            using hint = 'To have it run as another role: the option role, of the webhook or of the function.';
    end if;
    return made;
end
$$;
comment on function functions.create_webhook(text, text, jsonb) is
    'Fires a function for what a service posts to /functions/v1/webhook/{webhook}, signed; changes an existing webhook. '
    'Returns the new secret, once. Options: see docs/webhooks.md.';
revoke all on function functions.create_webhook(text, text, jsonb) from public;
