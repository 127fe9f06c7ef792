-- functions_private.claim_versions(sidecar, working, max, lease) -> versions for the sidecar to compile, and versions that were given up
-- working: the versions that the sidecar is compiling already.
-- Oldest first. A version at which a sidecar died comes after all others, and alone: if it kills this sidecar as well, no other version is
-- affected, and no other version's failure can be mistaken for it. Each claim records an attempt, which complete_version and
-- release_versions remove; a version with three attempts that no sidecar works on becomes failed instead. No sidecar works on a version
-- when its lease has expired or its sidecar is gone.
create or replace function functions_private.claim_versions(sidecar uuid, working uuid[], max integer, lease interval)
returns table (id uuid, function text, version integer, given_up boolean)
language plpgsql set search_path = pg_catalog, pg_temp as $$
#variable_conflict use_column
declare
    max_attempts constant integer := 3;
    chosen uuid[];
begin
    -- The sidecar does not know of these: the statement that claimed them was committed, but its answer was lost.
    with lost as (
        delete from functions_private.attempts a using functions_private.versions v
        where a.sidecar = claim_versions.sidecar and a.version <> all (working) and v.id = a.version and v.status = 'pending'
        returning a.version
    )
    update functions_private.versions v set claimed_by = null, claimed_until = null
    from lost where v.id = lost.version and v.claimed_by = claim_versions.sidecar;

    -- A sidecar without a heartbeat for 15 seconds (as in release_orphans) is gone.
    update functions_private.versions v set claimed_by = null, claimed_until = null
    from functions_private.attempts a
    where v.status = 'pending' and v.claimed_until >= now() and v.claimed_by <> claim_versions.sidecar
      and a.version = v.id and a.sidecar = v.claimed_by and a.began_at < now() - interval '15 seconds'
      and not exists (select from functions_private.sidecars s where s.id = a.sidecar and s.seen_at > now() - interval '15 seconds');

    return query
        update functions_private.versions v
        set status = 'failed', claimed_by = null, claimed_until = null, error = jsonb_build_object('message', format(
                'The sidecar ended %s times while it compiled version %s of %s; it is not tried again. Deploy a corrected version, or '
                'have this one tried again: '
                'select functions.retry_version(%L, %s);', tries.number, v.version, to_json(v.function), v.function, v.version))
        from (select a.version, count(*) as number from functions_private.attempts a group by a.version) tries
        where v.id = tries.version and tries.number >= max_attempts
          and v.status = 'pending' and (v.claimed_until is null or v.claimed_until < now())
        returning v.id, v.function, v.version, true;

    -- One at which a sidecar died is in progress.
    if exists (select from functions_private.attempts a where a.version = any (working) and a.sidecar <> claim_versions.sidecar) then
        return;
    end if;
    chosen := array(
        select v.id from functions_private.versions v
        where v.status = 'pending' and (v.claimed_until is null or v.claimed_until < now())
          and not exists (select from functions_private.attempts a where a.version = v.id)
        order by v.created_at limit max for update of v skip locked);
    if chosen = '{}' and working = '{}' then
        chosen := array(
            select v.id from functions_private.versions v
            where v.status = 'pending' and (v.claimed_until is null or v.claimed_until < now())
            order by (select count(*) from functions_private.attempts a
                where a.version = v.id), v.created_at limit 1 for update of v skip locked);
    end if;

    insert into functions_private.attempts as a (version, sidecar) select c.id, claim_versions.sidecar from unnest(chosen) c (id)
    on conflict on constraint attempts_pkey do update set began_at = now();
    return query
        update functions_private.versions v
        set claimed_by = claim_versions.sidecar, claimed_until = now() + lease
        where v.id = any (chosen)
        returning v.id, v.function, v.version, false;
end
$$;
comment on function functions_private.claim_versions(uuid, uuid[], integer, interval) is
    'Assigns versions to a sidecar to compile; gives up versions after three attempts at which a sidecar died.';
revoke all on function functions_private.claim_versions(uuid, uuid[], integer, interval) from public;
