-- functions_private.put_part(upload, part, content, size, chunks, md5) -> stored, no_upload, lost
-- Makes a content that was written a part of an upload. A part of the same number is replaced.
create or replace function functions_private.put_part(upload uuid, part integer, content uuid, size bigint, chunks integer, md5 bytea)
returns text
language plpgsql set search_path = pg_catalog, pg_temp as $$
declare
    former uuid;
begin
    perform from functions_private.object_uploads u where u.id = put_part.upload for update;
    if not found then
        return 'no_upload';
    end if;
    if not functions_private.complete_content(put_part.content, put_part.size, chunks) then
        return 'lost';
    end if;
    select p.content into former from functions_private.object_upload_parts p where p.upload = put_part.upload and p.part = put_part.part;
    update functions_private.object_contents c set retired_at = now() where c.id = former and c.retired_at is null;
    insert into functions_private.object_upload_parts as p (upload, part, content, size, md5)
    values (put_part.upload, put_part.part, put_part.content, put_part.size, put_part.md5)
    on conflict on constraint object_upload_parts_pkey do update
        set content = excluded.content, size = excluded.size, md5 = excluded.md5;
    return 'stored';
end
$$;
comment on function functions_private.put_part(uuid, integer, uuid, bigint, integer, bytea) is 'Stores a part of an upload.';
revoke all on function functions_private.put_part(uuid, integer, uuid, bigint, integer, bytea) from public;
