-- functions_private.build_vector_hnsw(wanted, extension): creates the HNSW index over the vectors of a table.
create or replace function functions_private.build_vector_hnsw(wanted functions_private.vector_indexes, extension name) returns void
language plpgsql set search_path = pg_catalog, pg_temp as $$
begin
    execute format('create index %I on functions_vectors.%I using hnsw (embedding %I.%I) with (m = %s, ef_construction = %s)',
        wanted.name || '_embedding', wanted.name, extension,
        wanted.type || case wanted.metric when 'cosine' then '_cosine_ops' when 'euclidean' then '_l2_ops' else '_ip_ops' end,
        wanted.m, wanted.ef_construction);
end
$$;
comment on function functions_private.build_vector_hnsw(functions_private.vector_indexes, name) is
    'Creates the HNSW index over the vectors of a table.';
revoke all on function functions_private.build_vector_hnsw(functions_private.vector_indexes, name) from public;
