create or replace view functions.sidecars as
select id, host, engine, started_at, seen_at, seen_at > now() - interval '15 seconds' as alive
from functions_private.sidecars;
comment on view functions.sidecars is 'The sidecars that serve this database, with their last heartbeat.';
