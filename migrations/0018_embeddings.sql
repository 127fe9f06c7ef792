-- Embeddings: tables whose texts are kept in a vector index. Each is a trigger and a function of the same name.

-- The embedding model whose vectors an index holds, as functions name it (env.AI.run). Null: whoever inserts knows.
alter table functions_private.vector_indexes add column model text;

create table functions_private.embeddings (
    name          text primary key references functions_private.functions (name) on delete cascade,
    vector_index  text not null,
    key_columns   text[] not null,
    -- These and the key have the names that the columns had when the trigger was made, as functions_private.triggers.table_columns.
    text_columns  text[] not null,
    metadata_columns text[] not null default '{}',
    namespace_column text,
    owner_column  text,
    chunk_size    integer not null,     -- characters
    chunk_overlap integer not null,
    created_at    timestamptz not null default now(),
    updated_at    timestamptz not null default now()
);
