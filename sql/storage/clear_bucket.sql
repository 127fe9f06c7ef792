-- functions.clear_bucket(bucket) -> how many objects there were. Removes all objects and uploads of a bucket.
create or replace function functions.clear_bucket(bucket text) returns bigint
language plpgsql set search_path = pg_catalog, functions, pg_temp as $$
declare
    removed bigint;
    small bigint;
begin
    perform functions_private.require_bucket(clear_bucket.bucket);
    if exists (select from functions_private.versions v where v.code_bucket = clear_bucket.bucket) then
        raise exception 'the bucket % has the code of functions', bucket using errcode = 'object_in_use',
            hint = 'select functions.migrate_code(''table''); and wait until functions.versions has no code_move.';
    end if;
    with gone as (
        delete from functions_private.objects o where o.bucket = clear_bucket.bucket returning octet_length(o.data) as length
    )
    select count(*), coalesce(sum(g.length), 0) into removed, small from gone g;
    delete from functions_private.object_uploads u where u.bucket = clear_bucket.bucket;
    update functions_private.object_contents c set retired_at = now() where c.bucket = clear_bucket.bucket and c.retired_at is null;
    perform functions_private.add_bucket_usage(clear_bucket.bucket, -small);
    return removed;
end
$$;
comment on function functions.clear_bucket(text) is 'Removes all objects of a bucket; returns how many.';
revoke all on function functions.clear_bucket(text) from public;
