-- functions_private.ai_limits_of(function, role, user_id) -> the limits of a caller, with the key that its use is counted by. In the order
-- in which they must be locked.
create or replace function functions_private.ai_limits_of(function text, role text, user_id text)
returns table (id integer, key text, description text, period text, requests bigint, tokens bigint, cost numeric)
language sql stable set search_path = pg_catalog, pg_temp as $$
    select l.id, case when l.per_user then coalesce(ai_limits_of.user_id, '') else '' end,
        concat_ws(' ', case when l.per_user then 'each user' end, case when l.function <> '' then 'the function ' || l.function end,
            case when l.role <> '' then 'the role ' || l.role end,
            case when l.function = '' and l.role = '' and not l.per_user then 'all callers' end),
        l.period, l.requests, l.tokens, l.cost
    from functions_private.ai_limits l
    where l.function in ('', coalesce(ai_limits_of.function, '')) and l.role in ('', ai_limits_of.role) order by l.id
$$;
comment on function functions_private.ai_limits_of(text, text, text) is 'The limits of a caller of models, in the order of locking.';
revoke all on function functions_private.ai_limits_of(text, text, text) from public;
