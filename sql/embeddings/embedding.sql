-- functions.embedding(name) -> what the function of an embedding needs to know, with the present names of table and columns
-- {table, index, vectors, model, size, overlap, keys: [{name, sql, type}], texts, metadata: [{name, sql}], namespace, owner}. Names are
-- quoted for SQL, except the members "name".
-- For service_role, as which these functions run; it can't read the definitions by itself.
create or replace function functions.embedding(name text) returns jsonb
language sql stable security definer set search_path = pg_catalog, pg_temp as $$
    with definition as (
        select e.*, t.relation, t.table_columns from functions_private.embeddings e join functions_private.triggers t on t.name = e.name
        where e.name = embedding.name
    ), present as (
        select d.name as embedding, k.kind, k.place, a.attname::text as name, format_type(a.atttypid, null) as type
        from definition d cross join lateral (
            select 'key' as kind, c, p as place from unnest(d.key_columns) with ordinality u (c, p)
            union all select 'text', c, p from unnest(d.text_columns) with ordinality u (c, p)
            union all select 'metadata', c, p from unnest(d.metadata_columns) with ordinality u (c, p)
            union all select 'namespace', d.namespace_column, 1
            union all select 'owner', d.owner_column, 1) k (kind, c, place)
        join pg_attribute a on a.attrelid = d.relation and a.attnum = array_position(d.table_columns, k.c) and not a.attisdropped
    )
    select jsonb_build_object(
        'table', functions_private.qualified_name(d.relation), 'index', d.vector_index, 'vectors',
            format('functions_vectors.%I', d.vector_index),
        'model', (select v.model from functions_private.vector_indexes v where v.name = d.vector_index),
        'size', d.chunk_size, 'overlap', d.chunk_overlap,
        'keys', (select jsonb_agg(jsonb_build_object('name', p.name, 'sql', quote_ident(p.name), 'type', p.type) order by p.place)
            from present p where p.kind = 'key'),
        'texts', (select jsonb_agg(quote_ident(p.name) order by p.place) from present p where p.kind = 'text'),
        'metadata', (select coalesce(jsonb_agg(jsonb_build_object('name', p.name, 'sql', quote_ident(p.name)) order by p.place), '[]')
            from present p where p.kind = 'metadata'),
        'namespace', (select quote_ident(p.name) from present p where p.kind = 'namespace'),
        'owner', (select quote_ident(p.name) from present p where p.kind = 'owner'))
    from definition d
$$;
comment on function functions.embedding(text) is 'The definition of an embedding, for its function.';
revoke all on function functions.embedding(text) from public;
grant execute on function functions.embedding(text) to service_role;
