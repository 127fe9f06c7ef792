-- functions_private.begin_load(version, sidecar) -> at how many loads of the version a sidecar died
-- Records that the sidecar begins to load the version, unless three sidecars have died doing so: then the caller must not load it. end_load
-- removes the record. With auto_migrate, code that is not where functions.set_code_storage prefers it is copied there afterwards.
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
    update functions_private.versions v set code_move = 'both'
    from functions_private.code_storage c
    where v.id = begin_load.version and v.code_move is null and c.auto_migrate and c.bucket is not null
      and case c.prefer when 'bucket' then v.code_bucket is null else num_nonnulls(v.source, v.module) = 0 end;
    if found then
        perform pg_notify('functions_code', '');
    end if;
    return lost;
end
$$;
comment on function functions_private.begin_load(uuid, uuid) is
    'Records that a sidecar begins to load a version; returns at how many loads a sidecar died. From three on, do not load it.';
revoke all on function functions_private.begin_load(uuid, uuid) from public;
