create or replace view functions.caches as
select c.name, coalesce(e.entries, 0) as entries, coalesce(e.bytes, 0) as bytes, c.max_bytes, c.max_value_bytes, c.readers, c.writers,
       c.created_at, c.updated_at
from functions_private.caches c left join lateral (
    select count(*) as entries, sum(octet_length(x.value) + octet_length(x.key) + 64)::bigint as bytes
    from functions_private.cache_entries x where x.cache = c.name and (x.expires_at is null or x.expires_at > now())) e on true;
comment on view functions.caches is 'The caches of functions: how much is in them, their limits, and the roles that may use them.';
