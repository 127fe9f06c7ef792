-- functions_private.discard_content(content) removes what a writer gave up. Nobody reads it, so nothing needs to wait; only if it is very
-- large, the worker removes it.
create or replace function functions_private.discard_content(content uuid) returns void
language plpgsql set search_path = pg_catalog, pg_temp as $$
declare
    most constant integer := 400; -- chunks that are removed at once
    written functions_private.object_contents;
begin
    -- Waits for a chunk that is being written at this moment, and which the next statement then sees.
    select c.* into written from functions_private.object_contents c
    where c.id = discard_content.content and c.sidecar is not null and c.retired_at is null for update;
    if not found then
        return;
    end if;
    if (select count(*) from functions_private.object_chunks k where k.content = written.id) > most then
        update functions_private.object_contents c set retired_at = now() - interval '2 minutes' where c.id = written.id;
        return;
    end if;
    delete from functions_private.object_chunks k where k.content = written.id;
    delete from functions_private.object_contents c where c.id = written.id;
    perform functions_private.add_bucket_usage(b.name, -written.size) from functions_private.buckets b where b.name = written.bucket;
end
$$;
comment on function functions_private.discard_content(uuid) is 'Removes a content that its writer gave up.';
revoke all on function functions_private.discard_content(uuid) from public;
