-- functions_private.embedding_key(relation) -> the columns of the table's primary key. Raises if it has none, or if a column is of a type
-- whose values can't be looked up safely: comparing values of other types may run code of whoever made the type.
create or replace function functions_private.embedding_key(relation regclass) returns text[]
language plpgsql stable set search_path = pg_catalog, pg_temp as $$
declare
    keys text[];
    other record;
begin
    select array_agg(a.attname::text order by k.place) into keys
    from pg_index i cross join unnest(i.indkey::smallint[]) with ordinality k (number, place)
    join pg_attribute a on a.attrelid = i.indrelid and a.attnum = k.number
    where i.indrelid = relation and i.indisprimary and k.place <= i.indnkeyatts;
    if keys is null then
        raise exception 'The table % has no primary key.', relation using errcode = 'object_not_in_prerequisite_state',
            hint = 'Vectors are found again by it: alter table ... add primary key (...);';
    end if;
    select a.attname, format_type(a.atttypid, a.atttypmod) as type into other from pg_attribute a
    where a.attrelid = relation and a.attname = any (keys) and a.atttypid <> all (array['int2', 'int4', 'int8', 'text', 'varchar', 'uuid',
        'numeric', 'date', 'timestamp', 'timestamptz']::regtype[]) limit 1;
    if found then
        raise exception 'The primary key of % has the column % of type %.', relation, to_json(other.attname), other.type
            using errcode = 'feature_not_supported',
            hint = 'Embeddings need keys of integers, texts, uuid, numeric, date or timestamps.';
    end if;
    return keys;
end
$$;
comment on function functions_private.embedding_key(regclass) is 'The primary key of a table whose texts are embedded.';
revoke all on function functions_private.embedding_key(regclass) from public;
