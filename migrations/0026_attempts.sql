-- Compilations and loads in progress: version and sidecar. Whoever begins one writes a row first, and removes it afterwards, however it went. A row that
-- is left over is an attempt in which the sidecar died: after three of them the version is not tried again (functions_private.claim_versions,
-- functions_private.begin_load).
create table functions_private.attempts (
    version   uuid not null references functions_private.versions (id) on delete cascade,
    sidecar   uuid not null,
    began_at  timestamptz not null default now(),
    primary key (version, sidecar)
);
