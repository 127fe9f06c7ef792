-- functions.drop_cache(cache): removes a cache with its values. Functions that use it get an error. The cache "default" can only be
-- emptied.
create or replace function functions.drop_cache(cache text) returns void
language plpgsql set search_path = pg_catalog, functions, pg_temp as $$
begin
    perform functions.clear_cache(drop_cache.cache);
    if cache = 'default' then
        raise exception 'the cache "default" is a part of every installation' using errcode = 'invalid_parameter_value',
            hint = 'select functions.clear_cache(''default'');';
    end if;
    delete from functions_private.caches c where c.name = drop_cache.cache;
    perform pg_notify('functions_caches', drop_cache.cache);
end
$$;
comment on function functions.drop_cache(text) is 'Drops a cache with its values.';
revoke all on function functions.drop_cache(text) from public;
