-- functions_private.raise_invalid_column(option, relation, name) raises an error that says why an option can't name a column: it does not
-- exist, is a system column, or is generated and not in the WAL.
create or replace function functions_private.raise_invalid_column(option text, relation regclass, name text) returns void
language plpgsql stable set search_path = pg_catalog, pg_temp as $$
declare
    near text;
    present text;
begin
    if exists (select from pg_attribute a where a.attrelid = relation and a.attname = name and a.attnum > 0 and not a.attisdropped) then
        raise exception 'option %: column % is generated, and logical replication does not carry it', option, to_json(name)
            using errcode = 'undefined_column', hint = 'Name the columns of the expression that it is generated from.';
    end if;
    select a.attname into near from pg_attribute a
    where a.attrelid = relation and a.attnum > 0 and not a.attisdropped
        and functions_private.is_similar_name(regexp_replace(name, '^.*\.', ''), a.attname) limit 1;
    select string_agg(quote_ident(a.attname), ', ' order by a.attnum) into present
    from (select a.attname, a.attnum from pg_attribute a where a.attrelid = relation and a.attnum > 0
        and not a.attisdropped order by a.attnum limit 30) a;
    raise exception 'option %: % has no column %', option, relation, coalesce(to_json(left(name, 80))::text, 'null')
        using errcode = 'undefined_column',
        hint = coalesce('Did you mean ' || to_json(near) || '? ', '')
            || 'Columns are named as they are stored, without the table, each a string of its own: ["a", "b"]. The table has: ' || present
            || '.';
end
$$;
comment on function functions_private.raise_invalid_column(text, regclass, text) is
    'Raises an error that says why an option can''t name a column.';
revoke all on function functions_private.raise_invalid_column(text, regclass, text) from public;
