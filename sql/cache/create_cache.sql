-- functions.create_cache(cache, options): a namespace of keys and values for functions: env.CACHE.namespace(cache). Called again for an
-- existing cache, it changes it: options that are not given return to their defaults, the values stay. The cache "default" is env.CACHE
-- itself and exists from the start.
--   max_bytes        65536-1099511627776 (268435456): of all its values; beyond that, those not used for longest are removed
--   max_value_bytes  1-26214400 (26214400)
--   read, write      the roles whose functions may: names, or an array of them (default: all). service_role always may.
create or replace function functions.create_cache(cache text, options jsonb default '{}') returns void
language plpgsql set search_path = pg_catalog, functions, pg_temp as $$
begin
    if cache is null or cache !~ '^[a-z][a-z0-9_-]{0,63}$' then
        raise exception '% is not a cache name', coalesce(to_json(left(cache, 80))::text, 'null') using errcode = 'invalid_name',
            hint = 'A name starts with a letter, has lower-case letters, digits, _ and -, and at most 64 of them.';
    end if;
    perform functions_private.check_options(options,
        '{"max_bytes": [65536, 1099511627776], "max_value_bytes": [1, 26214400], "read": "roles", "write": "roles"}',
        '{"max_bytes": 10000000}');
    insert into functions_private.caches as c (name, max_bytes, max_value_bytes, readers, writers)
    values (create_cache.cache, coalesce((options ->> 'max_bytes')::bigint, 268435456),
        coalesce((options ->> 'max_value_bytes')::integer, 26214400),
        case when jsonb_typeof(options -> 'read') <> 'null' then array(select functions_private.text_list(options -> 'read')) end,
        case when jsonb_typeof(options -> 'write') <> 'null' then array(select functions_private.text_list(options -> 'write')) end)
    on conflict (name) do update set max_bytes = excluded.max_bytes, max_value_bytes = excluded.max_value_bytes,
        readers = excluded.readers, writers = excluded.writers, updated_at = now();
    perform pg_notify('functions_caches', create_cache.cache);
end
$$;
comment on function functions.create_cache(text, jsonb) is
    'Creates a cache for functions (env.CACHE.namespace), or changes it. Options: max_bytes, max_value_bytes, read, write.';
revoke all on function functions.create_cache(text, jsonb) from public;
