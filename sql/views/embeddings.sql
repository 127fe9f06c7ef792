create or replace view functions.embeddings as
select e.name, functions_private.qualified_name(t.relation) as "table", e.vector_index, v.model,
       array(select jsonb_array_elements_text(functions.embedding(e.name) -> 'texts')) as columns,
       case when q.reason is not null then 'broken' when t.enabled then 'active' else 'disabled' end as state, q.reason,
       w.waiting, w.oldest as waiting_since, b.status as backfill, b.rows as backfilled,
       (select count(*) from functions_private.dead_letters d where d.function = e.name) as dead_letters,
       e.chunk_size, e.chunk_overlap, e.created_at, e.updated_at
from functions_private.embeddings e left join functions_private.triggers t on t.name = e.name
left join functions_private.trigger_problems() p on p.id = t.id
left join functions_private.vector_indexes v on v.name = e.vector_index
cross join lateral (select case when t.name is null then 'The trigger was dropped.'
    when v.name is null then format('The vector index %s was dropped.', to_json(e.vector_index))
    when v.model is null then format('The vector index %s has no model.', to_json(e.vector_index)) else p.problem end as reason) q
cross join lateral (select count(*) as waiting, min(d.occurred_at) as oldest from functions_private.deliveries d
    where d.function = e.name) w
left join lateral (select b.status, b.rows from functions_private.backfills b
    where b.trigger_id = t.id order by b.id desc limit 1) b on true;
comment on view functions.embeddings is
    'The tables whose texts are kept in a vector index: state, how many changes wait and since when, and dead letters.';
