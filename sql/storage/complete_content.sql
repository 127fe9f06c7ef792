-- functions_private.complete_content(content, size, chunks) -> whether all of it is there
-- Ends the writing of a content. Chunks are committed without waiting for the disk, so a crash of the server can have taken the last ones:
-- they are counted before anything refers to them. What was reserved and not used is given back.
create or replace function functions_private.complete_content(content uuid, size bigint, chunks integer) returns boolean
language plpgsql set search_path = pg_catalog, pg_temp as $$
declare
    written functions_private.object_contents;
begin
    select c.* into written from functions_private.object_contents c
    where c.id = complete_content.content and c.retired_at is null and c.sidecar is not null for update;
    -- octet_length reads no bytes of values that are stored out of line.
    if not found or (select count(*) <> complete_content.chunks or coalesce(sum(octet_length(k.bytes)), 0) <> complete_content.size
                     from functions_private.object_chunks k where k.content = complete_content.content)
    then
        return false;
    end if;
    update functions_private.object_contents c set size = complete_content.size, sidecar = null, touched_at = now()
    where c.id = complete_content.content;
    perform functions_private.add_bucket_usage(written.bucket, complete_content.size - written.size);
    return true;
end
$$;
comment on function functions_private.complete_content(uuid, bigint, integer) is
    'Ends the writing of a content of an object; false if a part of it is lost.';
revoke all on function functions_private.complete_content(uuid, bigint, integer) from public;
