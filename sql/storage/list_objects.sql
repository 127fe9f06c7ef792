-- functions_private.list_objects(bucket, prefix, after, delimiter, max, only_owner): the objects whose keys begin with prefix and come
-- after a key, in the order of the keys' bytes. Those that have the delimiter behind the prefix are one row each with their common
-- beginning (delimited); of each such group only the first object is looked at.
create or replace function functions_private.list_objects(
    bucket text, prefix text, after text, delimiter text, max integer, only_owner text)
returns table (delimited text, key text, version uuid, size bigint, etag text, checksums text, http_metadata text, custom_metadata text,
    storage_class text, uploaded timestamptz)
language plpgsql stable set search_path = pg_catalog, pg_temp as $$
declare
    -- Longer than any key, so greater than all keys that begin with what stands before it.
    beyond constant text collate "C" := repeat(chr(1114111), 257);
    place text collate "C" := coalesce(after, '');
    is_first boolean := after is null;
    place_in_key integer;
begin
    if delimiter is null then
        return query
            select null::text, o.key::text, o.version, o.size, o.etag, o.checksums, o.http_metadata, o.custom_metadata, o.storage_class,
                o.uploaded
            from functions_private.objects o
            where o.bucket = list_objects.bucket and o.key >= prefix and o.key < prefix || beyond and (after is null or o.key > after)
                and (only_owner is null or o.owner = only_owner)
            order by o.key limit max;
        return;
    end if;
    for n in 1 .. max loop
        select null::text, o.key::text, o.version, o.size, o.etag, o.checksums, o.http_metadata, o.custom_metadata, o.storage_class,
            o.uploaded
        into delimited, list_objects.key, version, size, etag, checksums, http_metadata, custom_metadata, storage_class, uploaded
        from functions_private.objects o
        where o.bucket = list_objects.bucket and o.key >= prefix and o.key < prefix || beyond and (is_first or o.key > place)
            and (only_owner is null or o.owner = only_owner)
        order by o.key limit 1;
        exit when not found;
        place_in_key := position(delimiter in substr(list_objects.key, length(prefix) + 1));
        if place_in_key > 0 then
            delimited := left(list_objects.key, length(prefix) + place_in_key - 1 + length(delimiter));
            place := delimited || beyond;
        else
            place := list_objects.key;
        end if;
        is_first := false;
        return next;
    end loop;
end
$$;
comment on function functions_private.list_objects(text, text, text, text, integer, text) is
    'Lists objects of a bucket, and the common beginnings of those with a delimiter in their keys.';
revoke all on function functions_private.list_objects(text, text, text, text, integer, text) from public;
