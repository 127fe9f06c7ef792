-- functions_private.complete_version(id, ok, error, engine, snapshot, info, compiled_ms) -> whether it is now the active version
-- Called by the sidecar that compiled the version. On success the version becomes ready and, unless it was rolled back or a newer one
-- is active already, active. Snapshots of older versions are dropped; a rollback recreates them. A version that is ready already only gets
-- the new engine's snapshot. For versions that no longer exist: false. The id identifies the version, also when the name was dropped and
-- deployed again since.
create or replace function functions_private.complete_version(
    id uuid, ok boolean, error jsonb, engine text, snapshot bytea, info jsonb, compiled_ms integer)
returns boolean
language plpgsql set search_path = pg_catalog, functions_private, pg_temp as $$
declare
    active integer;
    was record;
begin
    select f.active_version into active
    from functions_private.functions f join functions_private.versions v on v.function = f.name
    where v.id = complete_version.id for no key update of f;
    select v.function, v.version, v.status, v.rolled_back into was from functions_private.versions v where v.id = complete_version.id;
    if not found then
        return false;
    end if;
    delete from functions_private.attempts a where a.version = complete_version.id;

    if not ok and was.status = 'ready' then
        -- Another build of the engine could not load it. The version stays what it was for the sidecars that can.
        update functions_private.versions v set claimed_by = null, claimed_until = null
        where v.id = complete_version.id;
        return active is not distinct from was.version;
    end if;

    update functions_private.versions v
    set status = case when ok then 'ready' else 'failed' end,
        error = case when ok then null else coalesce(complete_version.error, '{}') end,
        engine = complete_version.engine,
        snapshot = complete_version.snapshot,
        info = complete_version.info,
        compiled_ms = complete_version.compiled_ms,
        ready_at = case when ok then coalesce(v.ready_at, clock_timestamp()) end,
        claimed_by = null,
        claimed_until = null
    where v.id = complete_version.id;

    -- Snapshots are large and can be recreated from their sources: only the newest versions and the active one keep theirs.
    update functions_private.versions v set snapshot = null
    where ok and v.function = was.function and v.snapshot is not null
      and v.version not in (was.version, coalesce(active, 0))
      and v.version < (select min(newest.version) from (
              select n.version from functions_private.versions n
              where n.function = was.function and n.status = 'ready' order by n.version desc limit 5) newest);

    perform pg_notify('functions_code', '') from functions_private.versions v
    where v.id = complete_version.id and v.code_move is not null;

    if ok and not was.rolled_back and was.version > coalesce(active, 0) then
        active := was.version;
        update functions_private.functions f set active_version = active, updated_at = now() where f.name = was.function;
    else
        perform pg_notify('functions_changed', was.function);
    end if;
    return active is not distinct from was.version;
end
$$;
comment on function functions_private.complete_version(uuid, boolean, jsonb, text, bytea, jsonb, integer) is
    'Records the outcome of compiling a version and activates it if it is the newest; true if it is now active.';
revoke all on function functions_private.complete_version(uuid, boolean, jsonb, text, bytea, jsonb, integer) from public;
