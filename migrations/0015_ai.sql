-- Models: providers, routes to them, prices, limits, the log of calls, and cached answers.

create table functions_private.ai_providers (
    name           text primary key check (name ~ '^[a-z][a-z0-9_-]{0,63}$'),
    kind           text not null check (kind in ('openai', 'anthropic')),
    base_url       text not null,
    api_key        bytea,                            -- sealed; null: the provider needs none
    headers        bytea,                            -- a JSON object of further headers, sealed: they often are credentials
    header_names   text[] not null default '{}',
    timeout_ms     integer not null default 120000,  -- for one attempt
    first_chunk_ms integer not null default 60000,   -- until a stream's first chunk
    retries        integer not null default 2,
    models         text[],                           -- what it has; null: anything
    log_contents   boolean not null default false,
    created_at     timestamptz not null default now(),
    updated_at     timestamptz not null default clock_timestamp()
);

create table functions_private.ai_routes (
    pattern    text primary key check (length(pattern) between 1 and 200),
    targets    jsonb not null,                       -- [{"provider", "model"}], in the order in which they are tried
    roles      text[],                               -- who may use it; null: every role of functions
    created_at timestamptz not null default now(),
    updated_at timestamptz not null default now()
);

create table functions_private.ai_prices (
    model        text primary key,                   -- as the provider calls it, or provider/model
    input        numeric not null check (input >= 0),         -- per million tokens
    output       numeric not null check (output >= 0),
    cached_input numeric not null check (cached_input >= 0),
    updated_at   timestamptz not null default now()
);

create table functions_private.ai_limits (
    id       integer generated always as identity primary key,
    function text not null default '',               -- '': every function, and clients
    role     text not null default '',               -- '': every role
    per_user boolean not null default false,         -- each user has the limit alone
    period   text not null check (period in ('minute', 'day')),
    requests bigint,
    tokens   bigint,
    cost     numeric,
    check (num_nonnulls(requests, tokens, cost) > 0),
    unique (function, role, per_user, period)
);

-- What was used of a limit in its current period.
create table functions_private.ai_usage (
    limit_id integer not null references functions_private.ai_limits (id) on delete cascade,
    user_id  text not null,
    since    timestamptz not null,
    requests bigint not null default 0,
    tokens   bigint not null default 0,
    cost     numeric not null default 0,
    primary key (limit_id, user_id)
) with (fillfactor = 50);

-- Answers to equal requests. They are lost when the server crashes, and are made again.
create unlogged table functions_private.ai_answers (
    key        bytea primary key,
    answer     text not null,
    expires_at timestamptz not null
);
create index ai_answers_expires on functions_private.ai_answers (expires_at);

-- Every call, partitioned by day (UTC) as functions_private.invocations is.
create table functions_private.ai_calls (
    id             uuid not null,
    started_at     timestamptz not null,
    operation      text not null,
    function       text,
    invocation_id  uuid,
    role           text not null,
    user_id        text,
    model          text not null,                    -- as it was asked for
    provider       text,
    provider_model text,
    streamed       boolean not null,
    cached         boolean not null,
    input_tokens   bigint,
    output_tokens  bigint,
    cached_tokens  bigint,
    cost           numeric,
    duration_ms    double precision not null,
    first_chunk_ms double precision,
    finish_reason  text,
    attempts       integer not null,
    error_code     text,
    error_message  text,
    metadata       jsonb,
    request        text,
    response       text
) partition by range (started_at);
create index on functions_private.ai_calls (function, started_at desc);
create index on functions_private.ai_calls (invocation_id);
