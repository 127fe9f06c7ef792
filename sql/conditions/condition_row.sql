-- functions_private.condition_row(relation) -> the row of a table without values, as a subquery for the login pgfn_conditions.
-- A column whose type that login can't name is a text.
create or replace function functions_private.condition_row(relation regclass) returns text
language sql stable set search_path = pg_catalog, pg_temp as $$
    select format('(select %s)',
        string_agg(format('null::%s as %I', coalesce(functions_private.condition_type(a.atttypid), 'pg_catalog.text'), a.attname), ', '
                  order by a.attnum))
    from pg_attribute a where a.attrelid = condition_row.relation and a.attnum > 0 and not a.attisdropped
        and functions_private.is_in_wal(a.attgenerated)
$$;
comment on function functions_private.condition_row(regclass) is 'A table''s row without values, as a subquery, for checking a condition.';
revoke all on function functions_private.condition_row(regclass) from public;
