-- functions.drop_embedding(name, vectors): ends an embedding, with its trigger and its function. Changes that wait are not embedded any
-- more. Its vectors stay in the index, unless vectors is true.
create or replace function functions.drop_embedding(name text, vectors boolean default false) returns void
language plpgsql set search_path = pg_catalog, functions, pg_temp as $$
declare
    former functions_private.embeddings;
begin
    select e.* into former from functions_private.embeddings e where e.name = drop_embedding.name;
    if not found then
        perform functions_private.raise_missing('embedding', name, array(select e.name from functions_private.embeddings e), 'embeddings');
    end if;
    perform functions_private.lock_triggers();
    perform functions.drop(former.name);
    delete from functions_private.former_triggers f where f.name = former.name;
    delete from functions_private.deliveries d where d.function = former.name;
    if vectors and exists (select from functions_private.vector_indexes v where v.name = former.vector_index) then
        execute format('delete from functions_vectors.%I v where v.metadata @> %L', former.vector_index,
            jsonb_build_object('source', former.name));
    end if;
end
$$;
comment on function functions.drop_embedding(text, boolean) is
    'Ends an embedding. Its vectors stay in the index, unless the second argument is true.';
revoke all on function functions.drop_embedding(text, boolean) from public;
