-- functions_private.retire_contents(version, kept) marks the contents of an object's version, or of an upload, for removal, but for those
-- in kept. They are removed some minutes later, so that readers can finish.
create or replace function functions_private.retire_contents(version uuid, kept uuid[] default '{}') returns void
language plpgsql set search_path = pg_catalog, pg_temp as $$
begin
    update functions_private.object_contents c set retired_at = now()
    where c.version = retire_contents.version and c.retired_at is null and c.id <> all (kept);
end
$$;
comment on function functions_private.retire_contents(uuid, uuid[]) is 'Marks the contents of an object''s version for removal.';
revoke all on function functions_private.retire_contents(uuid, uuid[]) from public;
