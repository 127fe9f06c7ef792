create or replace view functions.ai_limits as
select nullif(l.function, '') as function, nullif(l.role, '') as role, l.per_user, l.period, l.requests, l.tokens, l.cost,
    coalesce(u.requests, 0) as used_requests, coalesce(u.tokens, 0) as used_tokens, coalesce(u.cost, 0) as used_cost
from functions_private.ai_limits l
left join functions_private.ai_usage u on u.limit_id = l.id and not l.per_user and u.since = date_trunc(l.period, now(), 'UTC');
comment on view functions.ai_limits is
    'The limits on calls to models, and what was used of them in the current minute or day (not of those per user).';
