-- functions_private.begin_load(version, sidecar) -> at how many loads of the version a sidecar died
-- Records that the sidecar begins to load the version, unless three sidecars have died doing so: then the caller must not load it. end_load
-- removes the record.
create or replace function functions_private.begin_load(version uuid, sidecar uuid) returns integer
language plpgsql set search_path = pg_catalog, pg_temp as $$
declare
    lost integer := functions_private.lost_attempts(version, sidecar);
begin
    if lost < 3 then
        insert into functions_private.attempts as a (version, sidecar)
        select v.id, begin_load.sidecar from functions_private.versions v where v.id = begin_load.version
        on conflict on constraint attempts_pkey do update set began_at = now();
    end if;
    return lost;
end
$$;
comment on function functions_private.begin_load(uuid, uuid) is
    'Records that a sidecar begins to load a version; returns at how many loads a sidecar died. From three on, do not load it.';
revoke all on function functions_private.begin_load(uuid, uuid) from public;
