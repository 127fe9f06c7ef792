-- functions.drop_vector_index(name): removes a vector index with its vectors. Functions that use it get an error.
create or replace function functions.drop_vector_index(name text) returns void
language plpgsql set search_path = pg_catalog, functions, pg_temp as $$
begin
    delete from functions_private.vector_indexes v where v.name = drop_vector_index.name;
    if not found then
        perform functions_private.raise_missing('vector index', name, array(select i.name from functions_private.vector_indexes i),
            'vector_indexes');
    end if;
    execute format('drop table if exists functions_vectors.%I', name);
    perform pg_notify('functions_vectors', name);
end
$$;
comment on function functions.drop_vector_index(text) is 'Drops a vector index with its vectors.';
revoke all on function functions.drop_vector_index(text) from public;
