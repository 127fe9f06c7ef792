-- Webhooks: which outside services fire which functions, the secrets that they sign with, and which deliveries have arrived.

create table functions_private.webhooks (
    name              text primary key check (name ~ '^[a-z][a-z0-9_-]{0,63}$'),
    function          text not null references functions_private.functions (name) on delete cascade,
    scheme            text not null
        check (scheme in ('standard', 'svix', 'github', 'stripe', 'slack', 'shopify', 'twilio', 'hmac')),
    role              text,             -- that the function runs as; null: the function's own option, else anon
    tolerance_seconds integer not null,
    respond           boolean not null,
    max_body_bytes    integer not null,
    public_url        text,             -- where senders reach it, behind a proxy that changes the URL
    dedupe_seconds    integer not null, -- 0: deliveries are not recorded
    enabled           boolean not null default true,
    created_at        timestamptz not null default now(),
    updated_at        timestamptz not null default now()
);
create index on functions_private.webhooks (function);

-- Several may be valid at once, while a new one replaces an old one.
create table functions_private.webhook_secrets (
    id          bigint generated always as identity primary key,
    webhook     text not null references functions_private.webhooks (name) on delete cascade,
    sealed      bytea not null,
    created_at  timestamptz not null default now(),
    expires_at  timestamptz             -- null: until another one replaces it
);
create index on functions_private.webhook_secrets (webhook);

-- Deliveries that were accepted, so that their repetitions run nothing. A hot table: no foreign keys.
create table functions_private.webhook_deliveries (
    webhook        text not null,
    id             text not null,       -- the sender's id of the delivery, or a hash of what it signed
    event_id       uuid not null,
    running_until  timestamptz,         -- of a function that answers the sender itself: it runs, at most until then
    expires_at     timestamptz not null,
    primary key (webhook, id)
) with (autovacuum_vacuum_scale_factor = 0.02, autovacuum_vacuum_cost_delay = 0);
create index on functions_private.webhook_deliveries (expires_at);
