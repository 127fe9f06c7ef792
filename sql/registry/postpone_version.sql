-- functions_private.postpone_version(id, sidecar, reason, max_delay) -> the time until the version is tried again, null if it is gone
-- For a version whose code can't be read just now: it stays pending, functions.versions shows the reason, and this try is no attempt that
-- ended a sidecar. The time is 1 s at first, twice as long each time, and at most max_delay.
create or replace function functions_private.postpone_version(id uuid, sidecar uuid, reason text, max_delay interval) returns interval
language plpgsql set search_path = pg_catalog, pg_temp as $$
declare
    delay interval;
begin
    update functions_private.versions v
    set claimed_by = null, claimed_until = now() + least(max_delay, interval '1 second' * 2 ^ least(tries.number, 20)),
        error = jsonb_build_object('message', reason, 'postponed', tries.number + 1)
    from (select p.id, coalesce((p.error ->> 'postponed')::integer, 0) as number from functions_private.versions p
          where p.id = postpone_version.id for update) tries
    where v.id = tries.id and v.status = 'pending' and v.claimed_by = postpone_version.sidecar
    returning v.claimed_until - now() into delay;
    delete from functions_private.attempts a where a.version = postpone_version.id and a.sidecar = postpone_version.sidecar;
    return delay;
end
$$;
comment on function functions_private.postpone_version(uuid, uuid, text, interval) is
    'Leaves a version whose code can''t be read just now pending, for a later try; returns the time until then.';
revoke all on function functions_private.postpone_version(uuid, uuid, text, interval) from public;
