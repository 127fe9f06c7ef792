-- functions_private.validate_embedding(relation, columns, options) raises if columns or options of an embedding are wrong: functions.embed.
create or replace function functions_private.validate_embedding(relation regclass, columns text[], options jsonb) returns void
language plpgsql stable set search_path = pg_catalog, pg_temp as $$
declare
    missing text;
    size integer := coalesce((options ->> 'chunk_size')::integer, 2000);
begin
    perform functions_private.check_options(options,
        '{
            "name": "text", "metadata": "other", "namespace": "text", "owner": "text", "chunk_size": [100, 20000],
            "chunk_overlap": [0, 10000], "batch_size": [1, 1000], "retries": [0, 100], "backoff_ms": [10, 3600000],
            "max_backoff_ms": [10, 86400000], "backfill": "boolean"
        }',
        '{"metadata": ["author"], "chunk_size": 1000}');
    if relation is null or not exists (select from pg_class c where c.oid = relation) then
        raise exception 'There is no such table.' using errcode = 'undefined_table';
    end if;
    if coalesce(cardinality(columns), 0) = 0 then
        raise exception 'columns names no column' using errcode = 'invalid_parameter_value',
            hint = 'Name those whose texts are embedded: ''{title,body}''.';
    end if;
    if jsonb_typeof(coalesce(options -> 'metadata', '[]')) not in ('array', 'string') then
        raise exception 'option metadata must be an array of columns, not %', left((options -> 'metadata')::text, 60)
            using errcode = 'invalid_parameter_value', hint = 'For example: {"metadata": ["author", "published_at"]}';
    end if;
    select n into missing
    from unnest(columns || array(select functions_private.text_list(coalesce(options -> 'metadata', '[]')))
        || (options ->> 'namespace') || (options ->> 'owner')) n
    where n is not null and not exists (select from pg_attribute a
        where a.attrelid = relation and a.attname = n and a.attnum > 0 and not a.attisdropped) limit 1;
    if found then
        raise exception 'The table % has no column %.', relation, to_json(left(missing, 80)) using errcode = 'undefined_column',
            hint = 'Its columns: ' || (select string_agg(quote_ident(a.attname), ', ' order by a.attnum) from pg_attribute a
                where a.attrelid = relation and a.attnum > 0 and not a.attisdropped);
    end if;
    select m into missing from functions_private.text_list(coalesce(options -> 'metadata', '[]')) m
    where m in ('source', 'key', 'chunk', 'hash') limit 1;
    if found then
        raise exception 'option metadata: % is a member that the embedding itself writes', to_json(missing)
            using errcode = 'invalid_parameter_value', hint = 'Rename the column, or leave it out.';
    end if;
    select m into missing from functions_private.text_list(coalesce(options -> 'metadata', '[]')) m where m ~ '^\$|[".|]' limit 1;
    if found then
        raise exception 'option metadata: % is no name of a member of metadata', to_json(missing)
            using errcode = 'invalid_parameter_value',
            hint = 'It does not begin with $, and has no ", | or dot. Rename the column, or leave it out.';
    end if;
    if (options ->> 'chunk_overlap')::integer > size / 2 then
        raise exception 'option chunk_overlap may be half of chunk_size at most, which is %', size / 2
            using errcode = 'invalid_parameter_value';
    end if;
end
$$;
comment on function functions_private.validate_embedding(regclass, text[], jsonb) is
    'Raises if the columns or options of an embedding are wrong.';
revoke all on function functions_private.validate_embedding(regclass, text[], jsonb) from public;
