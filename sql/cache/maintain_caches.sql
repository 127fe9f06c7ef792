-- functions_private.maintain_caches() -> how many values were removed; 10,000 or more: there may be others that have expired
-- Removes expired values, and from a cache over its size those that were not used for longest, until it has nine tenths of it. One sidecar
-- at a time does this; another one that calls it meanwhile does nothing.
create or replace function functions_private.maintain_caches() returns bigint
language plpgsql set search_path = pg_catalog, pg_temp as $$
declare
    removed bigint;
    evicted bigint;
    one record;
begin
    -- A row, because an advisory lock could be held by any login of the database, which would keep caches growing.
    perform from functions_private.caches c where c.name = (select min(f.name) from functions_private.caches f) for update skip locked;
    if not found then
        return 0;
    end if;
    delete from functions_private.cache_entries e where e.ctid = any (array(
        select x.ctid from functions_private.cache_entries x where x.expires_at <= now()
        order by x.expires_at limit 10000 for update skip locked));
    get diagnostics removed = row_count;
    delete from functions_private.cache_claims l where l.until <= now();
    delete from functions_private.cache_copies c where c.until <= now();
    -- Measured only if the table is large enough for one of them to be over its size.
    if pg_total_relation_size('functions_private.cache_entries') > (select min(c.max_bytes) from functions_private.caches c) then
        for one in
            select c.name, c.max_bytes from functions_private.caches c
            where (select sum(octet_length(e.value) + octet_length(e.key) + 64)
                   from functions_private.cache_entries e where e.cache = c.name) > c.max_bytes
        loop
            delete from functions_private.cache_entries e where e.ctid = any (array(
                select o.ctid from (
                    select x.ctid, sum(octet_length(x.value) + octet_length(x.key) + 64)
                        over (order by x.used_at desc, x.key rows unbounded preceding) as running
                    from functions_private.cache_entries x where x.cache = one.name) o
                where o.running > one.max_bytes * 0.9));
            get diagnostics evicted = row_count;
            removed := removed + evicted;
            if evicted > 0 and exists (select from functions_private.cache_copies c where c.cache = one.name and c.until > now()) then
                perform pg_notify('functions_cache_changes', one.name);
            end if;
        end loop;
    end if;
    return removed;
end
$$;
comment on function functions_private.maintain_caches() is
    'Removes expired values of caches, and those that exceed a cache''s size; returns how many.';
revoke all on function functions_private.maintain_caches() from public;
