-- functions_private.validate_vector_options(options) raises if the options of a vector index are wrong: see functions.create_vector_index.
create or replace function functions_private.validate_vector_options(options jsonb) returns void
language plpgsql stable set search_path = pg_catalog, functions, pg_temp as $$
begin
    perform functions_private.check_options(options,
        '{
            "metric": ["cosine", "euclidean", "dot-product", "dot"], "type": ["vector", "halfvec"], "m": [2, 100],
            "ef_construction": [4, 1000], "ef_search": [1, 1000], "text_search": "text", "owner_only": "boolean", "model": "text",
            "read": "roles", "write": "roles"
        }',
        '{"metric": "cosine"}');
    -- Only PostgreSQL's own: whoever inserts runs the configuration's dictionaries.
    if options ->> 'text_search' is not null and not exists (select from pg_ts_config c
        where c.cfgname = options ->> 'text_search' and c.cfgnamespace = 'pg_catalog'::regnamespace)
    then
        raise exception 'option text_search must be a text search configuration of PostgreSQL, not %',
            left((options -> 'text_search')::text, 60)
            using errcode = 'invalid_parameter_value', hint = 'For example "english" or "simple"; \dF pg_catalog.* lists them.';
    end if;
    if (options ->> 'ef_construction')::integer < 2 * coalesce((options ->> 'm')::integer, 16)
        or 64 < 2 * (options ->> 'm')::integer and options ->> 'ef_construction' is null
    then
        raise exception 'option ef_construction must be at least twice m' using errcode = 'invalid_parameter_value',
            hint = format('For example: {"m": %1$s, "ef_construction": %2$s}', coalesce(options ->> 'm', '16'),
                2 * coalesce((options ->> 'm')::integer, 16));
    end if;
end
$$;
comment on function functions_private.validate_vector_options(jsonb) is 'Raises if the options of a vector index are wrong.';
revoke all on function functions_private.validate_vector_options(jsonb) from public;
