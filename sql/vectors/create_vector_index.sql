-- functions.create_vector_index(name, dimensions, options): a table functions_vectors.<name> of vectors with metadata, indexed for search:
-- env.VECTORIZE.index(name). The index "default" is env.VECTORIZE itself. Called again for an existing index, it changes it: options that
-- are not given return to their defaults, the vectors stay. Needs the extension pgvector.
--   dimensions        1-2000, of type halfvec 1-4000; can't be changed while there are vectors
--   metric            cosine (default), euclidean, dot-product
--   type              vector (default): 4 bytes for each dimension; halfvec: 2
--   m                 2-100 (16): neighbours of a vector in the HNSW index
--   ef_construction   4-1000 (64): candidates while the index is built; at least 2 * m
--   ef_search         1-1000 (100): candidates of a search
--   text_search       a text search configuration of PostgreSQL (simple): for documents, in hybrid search
--   owner_only        true: a caller sees and changes only its own vectors (claim sub), by row-level security; ids are unique for each
--                     owner. service_role sees all.
--   model             the embedding model whose vectors it holds, as env.AI.run takes it: for functions.embed, and for queries by text
--   read, write       the roles that may: names, or an array of them (default: none). Who may write may read. service_role always may.
create or replace function functions.create_vector_index(name text, dimensions integer, options jsonb default '{}') returns void
language plpgsql set search_path = pg_catalog, functions, pg_temp as $$
declare
    extension name;
    wanted functions_private.vector_indexes;
    former functions_private.vector_indexes;
    most integer;
begin
    if name is null or name !~ '^[a-z][a-z0-9_-]{0,47}$' then
        raise exception '% is not a name of a vector index', coalesce(to_json(left(name, 80))::text, 'null') using errcode = 'invalid_name',
            hint = 'A name starts with a letter, has lower-case letters, digits, _ and -, and at most 48 of them.';
    end if;
    perform functions_private.validate_vector_options(options);
    most := case when options ->> 'type' = 'halfvec' then 4000 else 2000 end;
    if dimensions is null or dimensions not between 1 and most then
        raise exception 'dimensions must be from 1 to %, not %', most, coalesce(dimensions::text, 'null')
            using errcode = 'invalid_parameter_value',
            hint = 'As many as the model gives numbers. pgvector indexes up to 2000, of type halfvec up to 4000.';
    end if;
    extension := functions_private.pgvector_schema();
    select create_vector_index.name, create_vector_index.dimensions,
        case coalesce(options ->> 'metric', 'cosine') when 'dot' then 'dot-product' else coalesce(options ->> 'metric', 'cosine') end,
        coalesce(options ->> 'type', 'vector'), coalesce((options ->> 'm')::integer, 16),
        coalesce((options ->> 'ef_construction')::integer, 64), coalesce((options ->> 'ef_search')::integer, 100),
        coalesce(options ->> 'text_search', 'simple'), coalesce((options ->> 'owner_only')::boolean, false), now(), now(),
        options ->> 'model'
    into wanted;
    lock table functions_private.vector_indexes in share row exclusive mode;
    select v.* into former from functions_private.vector_indexes v where v.name = wanted.name;
    if not found then
        perform functions_private.build_vector_table(wanted, extension);
        insert into functions_private.vector_indexes values (wanted.*);
    else
        perform functions_private.change_vector_table(former, wanted, extension);
        update functions_private.vector_indexes v set dimensions = wanted.dimensions, metric = wanted.metric, type = wanted.type,
            m = wanted.m, ef_construction = wanted.ef_construction, ef_search = wanted.ef_search, text_search = wanted.text_search,
            owner_only = wanted.owner_only, model = wanted.model, updated_at = now()
        where v.name = wanted.name;
    end if;
    perform functions_private.grant_vector_table(wanted.name, array(select functions_private.text_list(coalesce(options -> 'read', '[]'))),
        array(select functions_private.text_list(coalesce(options -> 'write', '[]'))));
    perform pg_notify('functions_vectors', wanted.name);
end
$$;
comment on function functions.create_vector_index(text, integer, jsonb) is
    'Creates a vector index for functions (env.VECTORIZE.index), or changes it. Options: metric, type, m, ef_construction, ef_search, '
    'text_search, owner_only, model, read, write. Needs pgvector.';
revoke all on function functions.create_vector_index(text, integer, jsonb) from public;
