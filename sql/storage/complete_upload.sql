-- functions_private.complete_upload(...) -> outcome as put_object's, or no_upload; and when it was stored
-- Makes an object from the contents of an upload's parts, in that order; the other parts are removed. The caller has checked the parts;
-- that they are still the upload's is checked here.
create or replace function functions_private.complete_upload(
    upload uuid, contents uuid[], size bigint, etag text, part_size bigint, only_owner text,
    out outcome text, out uploaded timestamptz)
language plpgsql set search_path = pg_catalog, pg_temp as $$
declare
    begun functions_private.object_uploads;
begin
    select u.* into begun from functions_private.object_uploads u where u.id = complete_upload.upload for update;
    if not found or (select count(*) from functions_private.object_upload_parts p
                     where p.upload = complete_upload.upload and p.content = any (contents)) <> cardinality(contents)
    then
        outcome := 'no_upload';
        return;
    end if;
    select p.outcome, p.uploaded into outcome, uploaded from functions_private.put_object(begun.bucket, begun.key, begun.id,
        complete_upload.size, complete_upload.etag, '{}', begun.http_metadata, begun.custom_metadata, begun.storage_class, begun.owner,
        null, null, complete_upload.part_size, null, complete_upload.only_owner) p;
    if outcome <> 'stored' then
        return;
    end if;
    insert into functions_private.object_parts (version, ordinal, content)
    select begun.id, c.ordinality - 1, c.content from unnest(contents) with ordinality c (content, ordinality);
    perform functions_private.retire_contents(begun.id, contents);
    delete from functions_private.object_uploads u where u.id = begun.id;
end
$$;
comment on function functions_private.complete_upload(uuid, uuid[], bigint, text, bigint, text) is
    'Makes an object from the parts of an upload.';
revoke all on function functions_private.complete_upload(uuid, uuid[], bigint, text, bigint, text) from public;
