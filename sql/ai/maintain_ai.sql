-- functions_private.maintain_ai() removes cached answers that have expired, the oldest of them beyond 100,000, and what was used of limits
-- in periods that have passed.
create or replace function functions_private.maintain_ai() returns void
language sql volatile set search_path = pg_catalog, pg_temp as $$
    delete from functions_private.ai_answers a where a.expires_at < now();
    delete from functions_private.ai_answers a where a.key in (
        select o.key from functions_private.ai_answers o order by o.expires_at desc offset 100000 for update skip locked);
    delete from functions_private.ai_usage u where u.since < now() - interval '2 days';
$$;
comment on function functions_private.maintain_ai() is 'Removes expired answers of models, and the counts of past periods.';
revoke all on function functions_private.maintain_ai() from public;
