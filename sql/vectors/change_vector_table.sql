-- functions_private.change_vector_table(former, wanted, extension): changes the table of a vector index to other options. Rebuilds the HNSW
-- index where it has to be; that takes a while with many vectors, and nothing is written meanwhile.
create or replace function functions_private.change_vector_table(former functions_private.vector_indexes,
    wanted functions_private.vector_indexes, extension name) returns void
language plpgsql set search_path = pg_catalog, functions, pg_temp as $$
declare
    has_vectors boolean;
begin
    execute format('select exists (select from functions_vectors.%I)', wanted.name) into has_vectors;
    if former.owner_only <> wanted.owner_only or former.text_search <> wanted.text_search or former.dimensions <> wanted.dimensions then
        if has_vectors then
            raise exception 'The vector index % has vectors: dimensions, owner_only and text_search can''t be changed.', to_json(wanted.name)
                using errcode = 'object_not_in_prerequisite_state',
                hint = format('Empty it first: truncate functions_vectors.%I; or create another one and insert the vectors there. '
                    'It has %s dimensions, owner_only %s, text_search %L.', wanted.name, former.dimensions, former.owner_only,
                    former.text_search);
        end if;
        execute format('drop table functions_vectors.%I', wanted.name);
        perform functions_private.build_vector_table(wanted, extension);
    elsif (former.metric, former.type, former.m, former.ef_construction)
        is distinct from (wanted.metric, wanted.type, wanted.m, wanted.ef_construction)
    then
        execute format('drop index functions_vectors.%I', wanted.name || '_embedding');
        if former.type <> wanted.type then
            execute format('alter table functions_vectors.%1$I alter column embedding type %2$I.%3$I(%4$s) using embedding::%2$I.%3$I(%4$s)',
                wanted.name, extension, wanted.type, wanted.dimensions);
        end if;
        perform functions_private.build_vector_hnsw(wanted, extension);
    end if;
end
$$;
comment on function
    functions_private.change_vector_table(functions_private.vector_indexes, functions_private.vector_indexes, name)
    is 'Changes the table of a vector index to other options.';
revoke all on function functions_private.change_vector_table(functions_private.vector_indexes, functions_private.vector_indexes, name)
    from public;
