-- functions_private.trigger_problems() -> the id of each trigger and its problem as a sentence, or null: its table was dropped or replaced,
-- a column in its options was dropped, writers are not captured, or updates and deletes are not written to the WAL as planned. The sidecar
-- repairs the last two within seconds where it can.
create or replace function functions_private.trigger_problems() returns table (id integer, problem text)
language plpgsql stable set search_path = pg_catalog, pg_temp as $$
#variable_conflict use_column
begin
    return query
        with plans as materialized (
            select coalesce(pg_partition_root(p.relation), p.relation) as root, p.* from functions_private.change_plans() p
                where not p.is_applied
        ), gaps as materialized (
            select g.* from functions_private.capture_gaps() g
        )
        select t.id, case
            when c.oid is null then
                format('The table %s was dropped.', format('%I.%I', b.schema_name, b.table_name))
                || case when n.named is not null
                    then format(' Another one has that name now, whose changes do not fire the trigger: call functions.create_trigger again, or give it the option follow "name".')
                        else ' select functions.drop_trigger(' || quote_literal(t.name) || ');' end
            when n.named is not null and n.named <> t.relation then
                format('The table was renamed to %s. Another one is %s now, whose changes do not fire the trigger: call functions.create_trigger again, or give it the option follow "name".',
                    functions_private.qualified_name(t.relation), format('%I.%I', b.schema_name, b.table_name))
            when m.missing is not null
                then format('The table has no column %s any more, which the trigger''s options name.', to_json(m.missing))
            when g.by_way_of is not null then
                format('Who writes by way of %s is not captured: functions_capture_context is disabled or missing there. Functions run as anon for such changes.', g.by_way_of)
            when p.relation is not null then
                format('Updates and deletes of %s do not get into the WAL as they should yet (replica identity: %s, wanted: %s).', p.relation,
                    p.has, coalesce(p.wanted, 'unpublished'))
            end
        from functions_private.triggers t
        left join pg_class c on c.oid = t.relation
        left join functions_private.bindings b on b.trigger_id = t.id
        left join lateral (select x.oid as named from pg_class x join pg_namespace s on s.oid = x.relnamespace
            where s.nspname = b.schema_name and x.relname = b.table_name and x.relkind in ('r', 'p')) n on true
        left join lateral (select o as missing
            from (select unnest(t.columns || t.order_by) as o
                  union all
                  -- The condition's text names its columns as old.x, new."x" or (new).x.
                  select c.name from unnest(t.table_columns) c (name) cross
                      join lateral (select regexp_replace(c.name, '(\W)', '\\\1', 'g') as name) e
                  where t.condition ~* ('\m(?:old|new)\s*\)?\s*\.\s*(?:"' || e.name || '"|' || e.name || '(?![\w$]))')) named
            where not exists (select from pg_attribute a where a.attrelid = t.relation
                and (a.attnum = array_position(t.table_columns, o) or a.attname = o) and not a.attisdropped) limit 1) m on true
        left join lateral (select g.by_way_of from gaps g where g.relation = t.relation limit 1) g on true
        left join lateral (select p.* from plans p where p.root = t.relation limit 1) p on true;
end
$$;
comment on function functions_private.trigger_problems() is 'The problem of each trigger as a sentence, or null.';
revoke all on function functions_private.trigger_problems() from public;
