-- functions_private.release_versions(sidecar) -> how many
-- A sidecar that shuts down normally releases the versions that it has not finished, and its attempts do not count.
create or replace function functions_private.release_versions(sidecar uuid) returns integer
language plpgsql set search_path = pg_catalog, pg_temp as $$
declare
    released integer;
begin
    delete from functions_private.attempts a where a.sidecar = release_versions.sidecar;
    update functions_private.versions v set claimed_by = null, claimed_until = null
    where v.claimed_by = release_versions.sidecar and v.status = 'pending';
    get diagnostics released = row_count;
    if released > 0 then
        perform pg_notify('functions_changed', '');
    end if;
    return released;
end
$$;
comment on function functions_private.release_versions(uuid) is
    'Releases the versions that a stopping sidecar has begun to compile or load; its attempts do not count.';
revoke all on function functions_private.release_versions(uuid) from public;
