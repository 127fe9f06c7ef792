-- functions_private.begin_upload(...) -> whether there is such a bucket. Begins an upload of an object in parts.
create or replace function functions_private.begin_upload(
    upload uuid, bucket text, key text, http_metadata text, custom_metadata text, storage_class text, owner text) returns boolean
language plpgsql set search_path = pg_catalog, pg_temp as $$
begin
    perform from functions_private.buckets b where b.name = begin_upload.bucket for key share;
    if not found then
        return false;
    end if;
    insert into functions_private.object_uploads (id, bucket, key, http_metadata, custom_metadata, storage_class, owner)
    values (begin_upload.upload, begin_upload.bucket, begin_upload.key, begin_upload.http_metadata, begin_upload.custom_metadata,
        begin_upload.storage_class, begin_upload.owner);
    return true;
end
$$;
comment on function functions_private.begin_upload(uuid, text, text, text, text, text, text) is 'Begins an upload of an object in parts.';
revoke all on function functions_private.begin_upload(uuid, text, text, text, text, text, text) from public;
