-- functions_private.present_names(relation, table_columns, names) -> the names that columns have now, for those that a trigger was made with; and the view
-- functions.triggers, which shows them. Executable by everybody who may read the view: it reads nothing but the catalogue.
create or replace function functions_private.present_names(relation oid, table_columns text[], names text[]) returns text[]
language sql stable set search_path = pg_catalog, pg_temp as $$
    select array_agg(coalesce((select a.attname::text from pg_attribute a
                               where a.attrelid = present_names.relation and a.attnum = array_position(table_columns, n.name) and not a.attisdropped), n.name)
                     order by n.place)
    from unnest(names) with ordinality n (name, place)
$$;
comment on function functions_private.present_names(oid, text[], text[]) is 'The names that a table''s columns have now, for those that a trigger was made with.';
create or replace view functions.triggers as
select t.name, t.function, t.relation::regclass::text as "table", t.operations,
       functions_private.present_names(t.relation, t.table_columns, t.columns) as columns, t.condition as "when",
       functions_private.present_names(t.relation, t.table_columns, t.order_by) as order_by, t.batch_size,
       t.retries, t.role, t.include_old, t.enabled, t.created_at, t.updated_at, t.payload, f.url_target as posts_to_url
from functions_private.triggers t join functions_private.functions f on f.name = t.function;
