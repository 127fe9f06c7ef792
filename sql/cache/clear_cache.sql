-- functions.clear_cache(cache) -> how many values there were. Removes all values of a cache.
create or replace function functions.clear_cache(cache text) returns bigint
language plpgsql set search_path = pg_catalog, functions, pg_temp as $$
declare
    removed bigint;
begin
    perform from functions_private.caches c where c.name = clear_cache.cache for update;
    if not found then
        perform functions_private.raise_missing('cache', cache, array(select c.name from functions_private.caches c));
    end if;
    delete from functions_private.cache_entries e where e.cache = clear_cache.cache;
    get diagnostics removed = row_count;
    delete from functions_private.cache_claims l where l.cache = clear_cache.cache;
    perform pg_notify('functions_cache_changes', clear_cache.cache);
    return removed;
end
$$;
comment on function functions.clear_cache(text) is 'Removes all values of a cache; returns how many.';
revoke all on function functions.clear_cache(text) from public;
