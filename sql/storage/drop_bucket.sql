-- functions.drop_bucket(bucket, force): removes a bucket. One that has objects is only removed with force, and the objects with it. The
-- bucket "default" can only be emptied.
create or replace function functions.drop_bucket(bucket text, force boolean default false) returns void
language plpgsql set search_path = pg_catalog, functions, pg_temp as $$
begin
    perform functions_private.require_bucket(drop_bucket.bucket);
    if bucket = 'default' then
        raise exception 'the bucket "default" is a part of every installation' using errcode = 'invalid_parameter_value',
            hint = 'select functions.clear_bucket(''default'');';
    end if;
    if not coalesce(force, false) and exists (select from functions_private.objects o where o.bucket = drop_bucket.bucket) then
        raise exception 'the bucket % has objects', bucket using errcode = 'object_in_use',
            hint = format('select functions.drop_bucket(%L, force => true);', bucket);
    end if;
    if exists (select from functions_private.code_storage c where c.bucket = drop_bucket.bucket) then
        raise exception 'the code of functions goes into the bucket %', bucket using errcode = 'object_in_use',
            hint = 'select functions.set_code_storage(''{}'');';
    end if;
    perform functions.clear_bucket(drop_bucket.bucket);
    -- What is removed later counts for no bucket, not even for a new one of the same name.
    update functions_private.object_contents c set bucket = '' where c.bucket = drop_bucket.bucket;
    delete from functions_private.buckets b where b.name = drop_bucket.bucket;
    perform pg_notify('functions_buckets', drop_bucket.bucket);
end
$$;
comment on function functions.drop_bucket(text, boolean) is 'Drops a bucket; with force also its objects.';
revoke all on function functions.drop_bucket(text, boolean) from public;
