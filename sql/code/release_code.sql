-- functions_private.release_code(): trigger that marks the object of a version that is gone for removal. One that is being written is
-- marked by its writer.
create or replace function functions_private.release_code() returns trigger
language plpgsql set search_path = pg_catalog, pg_temp as $$
begin
    update functions_private.code_objects o set state = 'unwanted' where o.version = old.id and o.state = 'stored';
    perform pg_notify('functions_code', '');
    return null;
end
$$;
comment on function functions_private.release_code() is 'Trigger: marks the object with the code of a version that is gone for removal.';
revoke all on function functions_private.release_code() from public;

create or replace trigger release_code after delete on functions_private.versions
    for each row when (old.code_bucket is not null) execute function functions_private.release_code();
