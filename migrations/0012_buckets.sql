-- Buckets: objects that functions keep. Small objects are in their row; larger ones are chunks of a content, which readers and writers
-- stream. Whatever holds chunks has a row in object_contents, so that nothing is left over when a writer dies.

create table functions_private.buckets (
    name             text primary key check (name ~ '^[a-z][a-z0-9_-]{0,63}$'),
    public           boolean not null default false,    -- whoever knows a key may read it over HTTP
    owned            boolean not null default false,    -- an object is its owner's alone
    max_bytes        bigint not null default 10737418240,
    max_object_bytes bigint not null default 5368709120,
    signing_key      bytea not null check (length(signing_key) = 32), -- of the tokens in signed URLs
    created_at       timestamptz not null default now(),
    updated_at       timestamptz not null default now()
);
insert into functions_private.buckets (name, signing_key)
values ('default', sha256(decode(replace(concat(gen_random_uuid(), gen_random_uuid(), gen_random_uuid()), '-', ''), 'hex')));

-- What the roles of functions may do, by the beginning of the key. A bucket without policies is open to all roles of functions.
create table functions_private.bucket_policies (
    bucket  text not null references functions_private.buckets (name) on delete cascade,
    role    text not null,
    prefix  text collate "C" not null default '',
    rights  text[] not null check (rights <@ array['read', 'write', 'list', 'delete'] and cardinality(rights) > 0),
    primary key (bucket, role, prefix)
);

-- The bytes of a bucket, as the sum of several rows, so that simultaneous writers do not wait for each other.
create table functions_private.bucket_usage (
    bucket  text not null references functions_private.buckets (name) on delete cascade,
    slot    smallint not null,
    bytes   bigint not null default 0,
    primary key (bucket, slot)
) with (fillfactor = 50);

create table functions_private.objects (
    bucket          text not null,
    key             text collate "C" not null,    -- listed in the order of its bytes
    version         uuid not null,                -- of an object with chunks also the version of its contents
    size            bigint not null,
    etag            text not null,
    checksums       text not null,                -- JSON: {"md5": hex, ...}
    http_metadata   text not null,                -- JSON
    custom_metadata text not null,                -- JSON
    storage_class   text not null,
    owner           text,                         -- the subject of who put it
    part_size       bigint,                       -- of an object from parts: the size of all but the last
    uploaded        timestamptz not null,
    data            bytea,                        -- of a small object; null: chunks
    primary key (bucket, key)
) with (fillfactor = 90);
alter table functions_private.objects alter column data set storage external;

create table functions_private.object_contents (
    id          uuid primary key,
    version     uuid not null,                    -- the object's, or the upload's
    bucket      text not null,
    size        bigint not null default 0,        -- what is reserved while it is written, then what it has
    sidecar     uuid,                             -- who writes it; null: it is complete
    touched_at  timestamptz not null default now(),
    read_until  timestamptz,                      -- a reader that takes long keeps it until then
    retired_at  timestamptz                       -- nothing refers to it any more; removed some time later
);
create index object_contents_version on functions_private.object_contents (version);
create index object_contents_retired on functions_private.object_contents (retired_at) where retired_at is not null;
create index object_contents_writing on functions_private.object_contents (sidecar) where sidecar is not null;

create table functions_private.object_chunks (
    content  uuid not null,
    ordinal  integer not null,
    bytes    bytea not null,
    primary key (content, ordinal)
) with (autovacuum_vacuum_cost_delay = 0);
alter table functions_private.object_chunks alter column bytes set storage external;

-- The contents of an object from parts, in order.
create table functions_private.object_parts (
    version  uuid not null,
    ordinal  integer not null,
    content  uuid not null,
    primary key (version, ordinal)
);

-- Multipart uploads that are not complete.
create table functions_private.object_uploads (
    id              uuid primary key,
    bucket          text not null references functions_private.buckets (name) on delete cascade,
    key             text collate "C" not null,
    http_metadata   text not null,
    custom_metadata text not null,
    storage_class   text not null,
    owner           text,
    began_at        timestamptz not null default now()
);
create index object_uploads_began on functions_private.object_uploads (began_at);

create table functions_private.object_upload_parts (
    upload   uuid not null references functions_private.object_uploads (id) on delete cascade,
    part     integer not null check (part between 1 and 10000),
    content  uuid not null,
    size     bigint not null,
    md5      bytea not null,
    primary key (upload, part)
);
