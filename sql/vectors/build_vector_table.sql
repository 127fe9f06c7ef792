-- functions_private.build_vector_table(wanted, extension): creates the table of a vector index, with its indexes and policy.
create or replace function functions_private.build_vector_table(wanted functions_private.vector_indexes, extension name) returns void
language plpgsql set search_path = pg_catalog, functions, pg_temp as $$
begin
    execute format(
        $sql$
        create table functions_vectors.%1$I (
            id        text collate "C" not null check (octet_length(id) between 1 and 64),
            namespace text collate "C" not null default '' check (octet_length(namespace) <= 64),
            embedding %2$I.%3$I(%4$s) not null,
            metadata  jsonb not null default '{}' check (jsonb_typeof(metadata) = 'object'),
            document  text,
            owner     text collate "C" not null default coalesce(functions.claims() ->> 'sub', ''),
            search    tsvector generated always as (to_tsvector(%5$L::regconfig, coalesce(document, ''))) stored,
            primary key (%6$s)
        )
        $sql$, wanted.name, extension, wanted.type, wanted.dimensions, 'pg_catalog.' || quote_ident(wanted.text_search),
        case when wanted.owner_only then 'owner, id' else 'id' end);
    execute format('comment on table functions_vectors.%I is %L', wanted.name,
        'A vector index of Functions.PgSidecar (functions.create_vector_index).');
    execute format('create index %I on functions_vectors.%I (namespace)', wanted.name || '_namespace', wanted.name);
    execute format('create index %I on functions_vectors.%I using gin (metadata jsonb_path_ops)', wanted.name || '_metadata', wanted.name);
    execute format('create index %I on functions_vectors.%I using gin (search)', wanted.name || '_search', wanted.name);
    perform functions_private.build_vector_hnsw(wanted, extension);
    if wanted.owner_only then
        execute format('alter table functions_vectors.%I enable row level security', wanted.name);
        -- As a subquery, the caller is read once for each statement, not for each row.
        execute format(
            $sql$
            create policy owner_only on functions_vectors.%I
                using (owner = (select functions.claims() ->> 'sub')) with check (owner = (select functions.claims() ->> 'sub'))
            $sql$, wanted.name);
    end if;
end
$$;
comment on function functions_private.build_vector_table(functions_private.vector_indexes, name) is
    'Creates the table of a vector index, with its indexes and policy.';
revoke all on function functions_private.build_vector_table(functions_private.vector_indexes, name) from public;
