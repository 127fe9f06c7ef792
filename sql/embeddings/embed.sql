-- functions.embed(table, columns, vector_index, options) -> the name of the embedding
-- Keeps a vector index in step with texts of a table: from the commit on, inserted and changed rows are embedded by the index's model, and
-- vectors of deleted rows are removed. Creates a trigger and a function with the embedding's name, which runs as service_role. Called again
-- with the same name, it changes the embedding; what its model or its options leave the same is not embedded again.
--   columns         whose texts are embedded, one after another
--   name            of the embedding (the table's name)
--   metadata        columns that become metadata of the vectors
--   namespace       a column whose value is the vectors' namespace
--   owner           a column with the id of the user (claim sub) to whom the vectors belong, for an index with owner_only
--   chunk_size      100-20000 (2000): the most characters in one vector's text
--   chunk_overlap   0-10000 (200): characters that a chunk repeats of the former one; at most half of chunk_size
--   batch_size 1-1000 (50), retries 0-100 (10), backoff_ms, max_backoff_ms: as functions.create_trigger
--   backfill        true (default): the rows that exist are embedded too
create or replace function functions.embed("table" regclass, columns text[], vector_index text, options jsonb default '{}') returns text
language plpgsql set search_path = pg_catalog, functions, pg_temp as $$
declare
    target functions_private.vector_indexes;
    embedding text := coalesce(options ->> 'name', (select c.relname from pg_class c where c.oid = "table"));
    keys text[];
    writers text;
    wanted functions_private.embeddings;
begin
    perform functions_private.validate_embedding("table", columns, options);
    if embedding !~ '^[a-z][a-z0-9_-]{0,63}$' then
        raise exception '% is not a name of an embedding', to_json(left(embedding, 80)) using errcode = 'invalid_name',
            hint = 'Give one by the option name: it starts with a letter, has lower-case letters, digits, _ and -, and at most 64 of them.';
    end if;
    select v.* into target from functions_private.vector_indexes v where v.name = vector_index;
    if not found then
        perform functions_private.raise_missing('vector index', vector_index, array(select i.name from functions_private.vector_indexes i),
            'vector_indexes');
    end if;
    if target.model is null then
        raise exception 'The vector index % has no model.', to_json(target.name) using errcode = 'object_not_in_prerequisite_state',
            hint = format('Give it one, and its other options again: select functions.create_vector_index(%L, %s, ''{"model": "..."}'');',
                target.name, target.dimensions);
    end if;
    if target.owner_only and options ->> 'owner' is null then
        raise exception 'The vectors of index % belong to users (owner_only), and the option owner names no column.', to_json(target.name)
            using errcode = 'invalid_parameter_value', hint = 'Name the column with the user''s id: {"owner": "user_id"}.';
    end if;
    select string_agg(r.role, ', ' order by r.role) into writers from functions_private.roles r
    where r.role <> 'service_role' and has_table_privilege(r.role, format('functions_vectors.%I', target.name), 'insert, update');
    if writers is not null then
        raise warning 'The vector index % may be written by %, who can put false texts under the ids of rows.', to_json(target.name), writers
            using hint = 'Create the index again without them in the option write.';
    end if;
    if exists (select from functions_private.functions f where f.name = embedding)
        and not exists (select from functions_private.embeddings e where e.name = embedding)
        or exists (select from functions_private.triggers t where t.name = embedding)
        and not exists (select from functions_private.embeddings e where e.name = embedding)
    then
        raise exception 'There is a function or trigger named % already.', to_json(embedding) using errcode = 'duplicate_object',
            hint = 'An embedding has a trigger and a function of its own name: choose another one by the option name.';
    end if;
    keys := functions_private.embedding_key("table");
    select embedding, target.name, keys, columns,
        array(select functions_private.text_list(coalesce(options -> 'metadata', '[]'))), options ->> 'namespace', options ->> 'owner',
        coalesce((options ->> 'chunk_size')::integer, 2000),
        coalesce((options ->> 'chunk_overlap')::integer, least(200, coalesce((options ->> 'chunk_size')::integer, 2000) / 2)), now(), now()
    into wanted;

    perform functions_private.lock_triggers();
    -- Before anything is written: a transaction that has written can't create the slot.
    perform functions_private.ensure_slot();
    perform functions_private.deploy_made(embedding, functions_private.embedding_source(), jsonb_build_object('role', 'service_role',
        'timeout_ms', 300000, 'cpu_ms', 30000, 'env', jsonb_build_object('EMBEDDING', embedding)));
    insert into functions_private.embeddings as e select wanted.*
    on conflict on constraint embeddings_pkey do update set vector_index = wanted.vector_index, key_columns = wanted.key_columns,
        text_columns = wanted.text_columns, metadata_columns = wanted.metadata_columns, namespace_column = wanted.namespace_column,
        owner_column = wanted.owner_column, chunk_size = wanted.chunk_size, chunk_overlap = wanted.chunk_overlap, updated_at = now();
    perform functions.create_trigger(embedding, embedding, "table", '{INSERT,UPDATE,DELETE,TRUNCATE}', jsonb_strip_nulls(jsonb_build_object(
        'columns', to_jsonb(array(select distinct c from unnest(keys || columns || wanted.metadata_columns || wanted.namespace_column
            || wanted.owner_column) c where c is not null)),
        'order_by', to_jsonb(keys), 'role', 'service_role', 'batch_size', coalesce((options ->> 'batch_size')::integer, 50),
        'retries', coalesce((options ->> 'retries')::integer, 10), 'timeout_ms', 300000,
        'backoff_ms', options -> 'backoff_ms', 'max_backoff_ms', options -> 'max_backoff_ms',
        'start', case when coalesce((options ->> 'backfill')::boolean, true) then 'backfill' end)));
    return embedding;
end
$$;
comment on function functions.embed(regclass, text[], text, jsonb) is
    'Keeps a vector index in step with texts of a table. Options: name, metadata, namespace, owner, chunk_size, chunk_overlap, batch_size, '
    'retries, backoff_ms, max_backoff_ms, backfill. See docs/vectors.md.';
revoke all on function functions.embed(regclass, text[], text, jsonb) from public;
