-- functions.set_ai_provider(name, options): a service that runs models, for env.AI. Called again, it changes the provider: options that are
-- not given return to their defaults, except api_key and headers, which stay. A provider that a copy of a database holds is released, and
-- keeps neither: they are the original's.
--   kind            openai (the chat completions that most servers speak), anthropic (openai)
--   base_url        where it is: of openai with /v1, of anthropic without it (the kind's own service). Private addresses are allowed:
--                   the operator's word is enough.
--   api_key         is sealed; "" removes it
--   headers         an object of further headers, sealed as well; {} removes them
--   timeout_ms      1-3600000 (120000): for one attempt
--   first_chunk_ms  1-3600000 (60000): until the first chunk of a stream
--   retries         0-5 (2): after a passing failure, before the next target of the route
--   models          an array: what it has (anything). Calls for these names need no route.
--   log_contents    true: requests and answers are stored in functions.ai_calls (false)
create or replace function functions.set_ai_provider(name text, options jsonb default '{}') returns void
language plpgsql set search_path = pg_catalog, functions, pg_temp as $$
declare
    kind text := coalesce(options ->> 'kind', 'openai');
    url text := rtrim(coalesce(options ->> 'base_url',
        case options ->> 'kind' when 'anthropic' then 'https://api.anthropic.com' else 'https://api.openai.com/v1' end), '/');
    place text := 'ai/' || name;
begin
    if name is null or name !~ '^[a-z][a-z0-9_-]{0,63}$' then
        raise exception '% is not a provider''s name', coalesce(to_json(left(name, 80))::text, 'null') using errcode = 'invalid_name',
            hint = 'A name starts with a letter, has lower-case letters, digits, _ and -, and at most 64 of them.';
    end if;
    perform functions_private.check_options(options, '{"kind": ["openai", "anthropic"], "base_url": "text", "api_key": "text",
        "headers": "other", "timeout_ms": [1, 3600000], "first_chunk_ms": [1, 3600000], "retries": [0, 5], "models": "other",
        "log_contents": "boolean"}', '{"kind": "openai", "api_key": "..."}',
        '{"api_key": ["secret", "key", "token"], "base_url": ["url", "endpoint"], "timeout_ms": ["timeout"]}');
    if url !~ '^https?://[^/?#@\s]+(/[^?#\s]*)?$' then
        raise exception 'option base_url must be a URL with http or https, without user and query, not %', to_json(left(url, 80))
            using errcode = 'invalid_parameter_value';
    end if;
    perform functions_private.validate_ai_headers(nullif(options -> 'headers', 'null'));
    perform functions_private.validate_ai_models(nullif(options -> 'models', 'null'));
    insert into functions_private.ai_providers as p (name, kind, base_url, api_key, headers, header_names, timeout_ms, first_chunk_ms,
        retries, models, log_contents)
    values (set_ai_provider.name, kind, url,
        case when options ->> 'api_key' <> '' then functions_private.seal_secret(place, 'api_key', options ->> 'api_key') end,
        case when nullif(options -> 'headers', '{}') <> 'null'
             then functions_private.seal_secret(place, 'headers', (options -> 'headers')::text) end,
        case when options ->> 'headers' is null then '{}' else array(select jsonb_object_keys(options -> 'headers') order by 1) end,
        coalesce((options ->> 'timeout_ms')::integer, 120000), coalesce((options ->> 'first_chunk_ms')::integer, 60000),
        coalesce((options ->> 'retries')::integer, 2),
        case when options ->> 'models' is not null then array(select functions_private.text_list(options -> 'models')) end,
        coalesce((options ->> 'log_contents')::boolean, false))
    on conflict on constraint ai_providers_pkey do update set kind = excluded.kind, base_url = excluded.base_url,
        api_key = case when options ->> 'api_key' is null and not p.held then p.api_key else excluded.api_key end,
        headers = case when options ->> 'headers' is null and not p.held then p.headers else excluded.headers end,
        header_names = case when options ->> 'headers' is null and not p.held then p.header_names else excluded.header_names end,
        held = false,
        timeout_ms = excluded.timeout_ms, first_chunk_ms = excluded.first_chunk_ms, retries = excluded.retries, models = excluded.models,
        log_contents = excluded.log_contents, updated_at = clock_timestamp();
    perform pg_notify('functions_ai', 'all');
end
$$;
comment on function functions.set_ai_provider(text, jsonb) is
    'Sets a provider of models for functions (env.AI), or changes it. Options: kind, base_url, api_key, headers, timeout_ms, '
    'first_chunk_ms, retries, models, log_contents.';
revoke all on function functions.set_ai_provider(text, jsonb) from public;
