-- A version has an id of its own. A name that is dropped and deployed again counts from 1 again, and what a sidecar still holds, compiles or has in its cache
-- of the function that was dropped must not pass for the new one's.
alter table functions_private.versions add column id uuid not null default gen_random_uuid() unique;
drop function if exists functions_private.complete_version(text, integer, boolean, jsonb, text, bytea, jsonb, integer);
