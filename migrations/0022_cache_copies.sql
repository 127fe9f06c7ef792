-- Copies of cached values in the memory of sidecars, for reads with cacheTtl: which ones writers have to notify of.

-- A sidecar announces here that it copies keys of a group, before it does. Writers of a key whose group is announced notify all sidecars.
-- Not logged, as the values are not: after a crash of the server the sidecars' connections are new, and they have no copies.
create unlogged table functions_private.cache_copies (
    cache      text not null,
    key_group  integer not null,         -- a hash of the key, 0 to 1023; its text could be confidential in a notification
    since      timestamptz not null,     -- announced without interruption since then
    until      timestamptz not null,
    primary key (cache, key_group)
) with (fillfactor = 80);
