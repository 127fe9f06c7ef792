-- functions.drop_vector_index(name): removes a vector index with its vectors. Functions that use it get an error.
create or replace function functions.drop_vector_index(name text) returns void
language plpgsql set search_path = pg_catalog, functions, pg_temp as $$
declare
    used text;
begin
    select string_agg(e.name, ', ' order by e.name) into used from functions_private.embeddings e
    where e.vector_index = drop_vector_index.name;
    if used is not null then
        raise exception 'The vector index % is kept in step with tables, by the embeddings %.', to_json(name), used
            using errcode = 'dependent_objects_still_exist', hint = 'End them first: select functions.drop_embedding(...);';
    end if;
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
