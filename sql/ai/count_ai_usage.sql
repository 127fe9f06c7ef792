-- functions_private.count_ai_usage(function, role, user_id, tokens, cost) counts what a call has used against all limits of its caller.
create or replace function functions_private.count_ai_usage(function text, role text, user_id text, tokens bigint, cost numeric)
returns void
language sql volatile set search_path = pg_catalog, pg_temp as $$
    select functions_private.use_ai_limit(l.id, l.key, l.period, 0, count_ai_usage.tokens, count_ai_usage.cost)
    from functions_private.ai_limits_of(count_ai_usage.function, count_ai_usage.role, count_ai_usage.user_id) l
$$;
comment on function functions_private.count_ai_usage(text, text, text, bigint, numeric) is
    'Counts the tokens and the cost of a call against the limits of its caller.';
revoke all on function functions_private.count_ai_usage(text, text, text, bigint, numeric) from public;
