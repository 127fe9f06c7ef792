-- functions_private.add_bucket_usage(bucket, bytes) -> whether the bucket may have them; counts them if it may
-- Fewer bytes are always counted. Simultaneous writers count in rows of their own, so they can exceed max_bytes together by what they add
-- at the same moment.
create or replace function functions_private.add_bucket_usage(bucket text, bytes bigint) returns boolean
language plpgsql set search_path = pg_catalog, pg_temp as $$
begin
    if bytes > 0 and bytes
        + (select coalesce(sum(u.bytes), 0) from functions_private.bucket_usage u where u.bucket = add_bucket_usage.bucket)
        > (select b.max_bytes from functions_private.buckets b where b.name = add_bucket_usage.bucket)
    then
        return false;
    end if;
    insert into functions_private.bucket_usage as u (bucket, slot, bytes)
    values (add_bucket_usage.bucket, pg_backend_pid() % 16, add_bucket_usage.bytes)
    on conflict on constraint bucket_usage_pkey do update set bytes = u.bytes + excluded.bytes;
    return true;
end
$$;
comment on function functions_private.add_bucket_usage(text, bigint) is 'Counts bytes of a bucket; false if it may not have more.';
revoke all on function functions_private.add_bucket_usage(text, bigint) from public;
