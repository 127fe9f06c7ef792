-- functions_private.use_ai_limit(limit_id, user_id, period, requests, tokens, cost) -> what was used in the current period, with this
-- Adds to what was used of a limit. In a new period it starts from zero; a transaction that began before the end of the last one adds to
-- the new one.
create or replace function functions_private.use_ai_limit(
    limit_id integer, user_id text, period text, requests bigint, tokens bigint, cost numeric
) returns functions_private.ai_usage
language sql volatile set search_path = pg_catalog, pg_temp as $$
    insert into functions_private.ai_usage as u (limit_id, user_id, since, requests, tokens, cost)
    values (use_ai_limit.limit_id, use_ai_limit.user_id, date_trunc(use_ai_limit.period, now(), 'UTC'), use_ai_limit.requests,
        use_ai_limit.tokens, use_ai_limit.cost)
    on conflict on constraint ai_usage_pkey do update set
        requests = excluded.requests + case when u.since >= excluded.since then u.requests else 0 end,
        tokens = excluded.tokens + case when u.since >= excluded.since then u.tokens else 0 end,
        cost = excluded.cost + case when u.since >= excluded.since then u.cost else 0 end,
        since = greatest(u.since, excluded.since)
    returning u.*
$$;
comment on function functions_private.use_ai_limit(integer, text, text, bigint, bigint, numeric) is
    'Adds to what was used of a limit in the current period.';
revoke all on function functions_private.use_ai_limit(integer, text, text, bigint, bigint, numeric) from public;
