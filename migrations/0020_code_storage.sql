-- The code of functions in buckets: where it goes, where it is, and what may be in a bucket.

alter table functions_private.buckets
    add column code boolean not null default false;    -- has the code of functions: no function and no URL reaches it

create table functions_private.code_storage (
    only_row     boolean primary key default true check (only_row),
    bucket       text references functions_private.buckets (name),                          -- where code goes that goes into a bucket
    prefer       text not null default 'table' check (prefer in ('table', 'bucket')),       -- what is read first
    write        text not null default 'table' check (write in ('table', 'bucket', 'both')),-- where new versions go
    auto_migrate boolean not null default false,                                            -- copy what the preferred place lacks
    check (bucket is not null or (prefer = 'table' and write = 'table'))
);
insert into functions_private.code_storage default values;

alter table functions_private.versions
    add column code_bucket        text references functions_private.buckets (name), -- where the code is, besides or instead of this row
    add column code_key           text,         -- the object there: verified before it was recorded
    add column code_bytes         bigint,       -- its length
    add column code_move          text check (code_move in ('table', 'bucket', 'both')), -- where a sidecar is to bring it
    add column code_claimed_until timestamptz,  -- until when the other sidecars leave that to the one that began
    add column code_error         text,         -- what is wrong with a copy of it
    drop constraint versions_source_or_module,
    add constraint versions_code_key check (num_nonnulls(code_bucket, code_key, code_bytes) in (0, 3)),
    add constraint versions_have_code check (num_nonnulls(source, module) <= 1 and num_nonnulls(source, module, code_bucket) > 0);
create index versions_code_move on functions_private.versions (created_at) where code_move is not null;

-- What may be in a bucket. A row is written before its object, and removed after it, so that nothing is left over when a sidecar dies. No
-- key is used twice, so that whoever removes an object late removes no other one.
create table functions_private.code_objects (
    bucket    text not null references functions_private.buckets (name) on delete cascade,
    key       text not null,
    version   uuid not null,    -- of functions_private.versions, which may be gone
    state     text not null default 'writing' check (state in ('writing', 'stored', 'unwanted')),
    began_at  timestamptz not null default now(),
    primary key (bucket, key)
);
create index code_objects_version on functions_private.code_objects (version);
