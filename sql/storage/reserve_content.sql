-- functions_private.reserve_content(content, version, bucket, sidecar, bytes) -> ok, no_bucket, full, lost
-- Makes a content that a sidecar is going to write, or lets it grow by so many bytes. lost: it was removed meanwhile, because its writer
-- seemed to be dead.
create or replace function functions_private.reserve_content(
    content uuid, version uuid, bucket text, sidecar uuid, bytes bigint, is_new boolean) returns text
language plpgsql set search_path = pg_catalog, pg_temp as $$
begin
    -- The bucket can't be dropped until this commits.
    perform from functions_private.buckets b where b.name = reserve_content.bucket for key share;
    if not found then
        return 'no_bucket';
    end if;
    if not is_new then
        perform from functions_private.object_contents c
        where c.id = reserve_content.content and c.retired_at is null and c.sidecar is not null for update;
        if not found then
            return 'lost';
        end if;
    end if;
    if not functions_private.add_bucket_usage(reserve_content.bucket, reserve_content.bytes) then
        return 'full';
    end if;
    insert into functions_private.object_contents as c (id, version, bucket, sidecar, size)
    values (reserve_content.content, reserve_content.version, reserve_content.bucket, reserve_content.sidecar, reserve_content.bytes)
    on conflict (id) do update set size = c.size + excluded.size, touched_at = now();
    return 'ok';
end
$$;
comment on function functions_private.reserve_content(uuid, uuid, text, uuid, bigint, boolean) is
    'Makes a content of an object, or lets it grow; says why it can''t.';
revoke all on function functions_private.reserve_content(uuid, uuid, text, uuid, bigint, boolean) from public;
