-- functions_private.delete_objects(bucket, keys, only_owner) -> how many there were
-- Keys without an object are passed over, and with only_owner those of somebody else.
create or replace function functions_private.delete_objects(bucket text, keys text[], only_owner text) returns bigint
language plpgsql set search_path = pg_catalog, pg_temp as $$
declare
    removed bigint;
    small bigint;
begin
    -- In the order of the keys, so that two of these calls never wait for each other.
    perform from functions_private.objects o
    where o.bucket = delete_objects.bucket and o.key = any (keys) and (only_owner is null or o.owner = only_owner)
    order by o.key for update;
    with gone as (
        delete from functions_private.objects o
        where o.bucket = delete_objects.bucket and o.key = any (keys) and (only_owner is null or o.owner = only_owner)
        returning o.version, o.data is null as is_chunked, octet_length(o.data) as length
    ), retired as (
        update functions_private.object_contents c set retired_at = now() from gone g
        where g.is_chunked and c.version = g.version and c.retired_at is null
    )
    select count(*), coalesce(sum(g.length), 0) into removed, small from gone g;
    if small > 0 then
        perform functions_private.add_bucket_usage(delete_objects.bucket, -small);
    end if;
    return removed;
end
$$;
comment on function functions_private.delete_objects(text, text[], text) is 'Removes objects of a bucket; returns how many there were.';
revoke all on function functions_private.delete_objects(text, text[], text) from public;
