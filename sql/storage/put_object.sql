-- functions_private.put_object(...) -> outcome: stored, no_bucket, changed (the object is not as expected), forbidden (it belongs to
-- somebody else); and when it was stored
-- Makes an object, or replaces it. data: a small object; null: its chunks are the contents of this version, of which chunks states how many
-- the one content has (null: they are parts, which are complete).
-- expected: the version that the present object must have; the nil UUID: there must be none; null: whatever is there.
-- only_owner: an object of somebody else is not replaced.
-- Raises 55000 if chunks were lost, 54000 if the bucket is full.
create or replace function functions_private.put_object(
    bucket text, key text, version uuid, size bigint, etag text, checksums text, http_metadata text, custom_metadata text,
    storage_class text, owner text, data bytea, chunks integer, part_size bigint, expected uuid, only_owner text,
    out outcome text, out uploaded timestamptz)
language plpgsql set search_path = pg_catalog, pg_temp as $$
declare
    former functions_private.objects;
    small bigint := coalesce(octet_length(data), 0);
    nil constant uuid := '00000000-0000-0000-0000-000000000000';
begin
    perform from functions_private.buckets b where b.name = put_object.bucket for key share;
    if not found then
        outcome := 'no_bucket';
        return;
    end if;
    uploaded := date_trunc('milliseconds', clock_timestamp());
    loop
        select o.* into former from functions_private.objects o
        where o.bucket = put_object.bucket and o.key = put_object.key for update;
        if found and only_owner is not null and former.owner is distinct from only_owner then
            outcome := 'forbidden';
        elsif expected is not null and coalesce(former.version, nil) <> expected then
            outcome := 'changed';
        end if;
        exit when outcome is not null;
        if former.key is not null then
            update functions_private.objects o
            set version = put_object.version, size = put_object.size, etag = put_object.etag, checksums = put_object.checksums,
                http_metadata = put_object.http_metadata, custom_metadata = put_object.custom_metadata,
                storage_class = put_object.storage_class, owner = put_object.owner, part_size = put_object.part_size,
                uploaded = put_object.uploaded, data = put_object.data
            where o.bucket = put_object.bucket and o.key = put_object.key;
            if former.data is null then
                perform functions_private.retire_contents(former.version);
            end if;
            outcome := 'stored';
        else
            insert into functions_private.objects (bucket, key, version, size, etag, checksums, http_metadata, custom_metadata,
                storage_class, owner, part_size, uploaded, data)
            values (put_object.bucket, put_object.key, put_object.version, put_object.size, put_object.etag, put_object.checksums,
                put_object.http_metadata, put_object.custom_metadata, put_object.storage_class, put_object.owner, put_object.part_size,
                put_object.uploaded, put_object.data)
            on conflict do nothing;
            outcome := case when found then 'stored' end;
        end if;
        exit when outcome is not null;
        -- Somebody else made it at the same moment: look again.
    end loop;
    if outcome <> 'stored' then
        return;
    end if;
    -- An error takes back what was stored.
    if chunks is not null and not functions_private.complete_content(put_object.version, put_object.size, chunks) then
        raise exception 'chunks of the object were lost' using errcode = 'object_not_in_prerequisite_state';
    end if;
    if small <> coalesce(octet_length(former.data), 0)
        and not functions_private.add_bucket_usage(put_object.bucket, small - coalesce(octet_length(former.data), 0))
    then
        raise exception 'the bucket is full' using errcode = 'program_limit_exceeded';
    end if;
end
$$;
comment on function functions_private.put_object(
    text, text, uuid, bigint, text, text, text, text, text, text, bytea, integer, bigint, uuid, text) is
    'Makes an object of a bucket, or replaces it; says why it can''t.';
revoke all on function functions_private.put_object(
    text, text, uuid, bigint, text, text, text, text, text, text, bytea, integer, bigint, uuid, text) from public;
