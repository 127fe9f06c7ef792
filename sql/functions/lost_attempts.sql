-- functions_private.lost_attempts(version, sidecar) -> how many attempts at the version ended with the end of a sidecar
-- Attempts of sidecars other than the given one that have not been heard of for 15 seconds, as long as release_orphans waits.
create or replace function functions_private.lost_attempts(version uuid, sidecar uuid) returns integer
language sql stable set search_path = pg_catalog, pg_temp as $$
    select count(*)::integer from functions_private.attempts a
    where a.version = lost_attempts.version and a.sidecar <> lost_attempts.sidecar and a.began_at < now() - interval '15 seconds'
      and not exists (select from functions_private.sidecars s where s.id = a.sidecar and s.seen_at > now() - interval '15 seconds')
$$;
comment on function functions_private.lost_attempts(uuid, uuid) is 'How many attempts to compile or load a version ended with the end of a sidecar.';
revoke all on function functions_private.lost_attempts(uuid, uuid) from public;
