-- Vector indexes: each is a table in the schema functions_vectors, made by functions.create_vector_index. The extension pgvector is needed
-- for making one, not for this.

create schema functions_vectors;
comment on schema functions_vectors is
    'Functions.PgSidecar''s vector indexes, a table for each (functions.create_vector_index). Roles use them by grants and policies.';

create table functions_private.vector_indexes (
    name            text primary key check (name ~ '^[a-z][a-z0-9_-]{0,47}$'),
    dimensions      integer not null,
    metric          text not null check (metric in ('cosine', 'euclidean', 'dot-product')),
    type            text not null check (type in ('vector', 'halfvec')),
    m               integer not null,          -- of the HNSW index
    ef_construction integer not null,
    ef_search       integer not null,
    text_search     text not null,             -- the text search configuration of documents
    owner_only      boolean not null,          -- a caller sees the vectors with its own id only
    created_at      timestamptz not null default now(),
    updated_at      timestamptz not null default now()
);
