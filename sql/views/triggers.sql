-- functions.triggers: which row changes fire which functions. state is active, disabled or broken; reason is the problem.
-- columns and order_by have the present names of the columns; functions_private.triggers has those from when the trigger was created.
create or replace view functions.triggers as
select t.name, t.function, coalesce(functions_private.qualified_name(c.oid), format('%I.%I', b.schema_name, b.table_name)) as "table",
    t.operations, present.columns, t.condition as "when",
       present.order_by, t.batch_size, t.retries, t.role, t.include_old, t.enabled, t.created_at, t.updated_at, t.payload,
           f.url_target as posts_to_url, b.follow,
       case when not t.enabled then 'disabled' when p.problem is not null then 'broken' else 'active' end as state, p.problem as reason
from functions_private.triggers t join functions_private.functions f on f.name = t.function
left join functions_private.bindings b on b.trigger_id = t.id left join pg_class c on c.oid = t.relation
join functions_private.trigger_problems() p on p.id = t.id
cross join lateral (
    select array_agg(coalesce(a.attname::text collate "default", n.name) order by n.place) filter (where n.option = 'columns') as columns,
           array_agg(coalesce(a.attname::text collate "default", n.name) order by n.place) filter (where n.option = 'order_by') as order_by
    from (select 'columns' as option, c.name, c.place from unnest(t.columns) with ordinality c (name, place)
          union all select 'order_by', o.name, o.place from unnest(t.order_by) with ordinality o (name, place)) n
    left join pg_attribute a on a.attrelid = t.relation and a.attnum = array_position(t.table_columns, n.name)
        and not a.attisdropped) present;
comment on view functions.triggers is 'The triggers on row changes: table, function, options, state and reason.';
