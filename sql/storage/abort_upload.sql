-- functions_private.abort_upload(upload) removes an upload with its parts; one that is not there is no error.
create or replace function functions_private.abort_upload(upload uuid) returns void
language plpgsql set search_path = pg_catalog, pg_temp as $$
begin
    delete from functions_private.object_uploads u where u.id = abort_upload.upload;
    if found then
        perform functions_private.retire_contents(abort_upload.upload);
    end if;
end
$$;
comment on function functions_private.abort_upload(uuid) is 'Removes an upload with its parts.';
revoke all on function functions_private.abort_upload(uuid) from public;
