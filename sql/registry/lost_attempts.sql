-- functions_private.lost_attempts(version, sidecar) -> how many attempts at the version ended because a sidecar died
-- Counts attempts of other sidecars without a heartbeat for 15 seconds, the time that release_orphans uses.
create or replace function functions_private.lost_attempts(version uuid, sidecar uuid) returns integer
language sql stable set search_path = pg_catalog, pg_temp as $$
    select count(*)::integer from functions_private.attempts a
    where a.version = lost_attempts.version and a.sidecar <> lost_attempts.sidecar and a.began_at < now() - interval '15 seconds'
      and not exists (select from functions_private.sidecars s where s.id = a.sidecar and s.seen_at > now() - interval '15 seconds')
$$;
comment on function functions_private.lost_attempts(uuid, uuid) is
    'How many attempts to compile or load a version ended because a sidecar died.';
revoke all on function functions_private.lost_attempts(uuid, uuid) from public;
