-- functions_private.reclaim_contents() -> how many bytes were removed; and whether there may be others
-- Removes contents that nothing refers to: of replaced and deleted objects once their readers had time to finish, of writers that died or
-- did not go on for a day, and of uploads that were not completed within seven days. One sidecar at a time does this; another one that
-- calls it meanwhile does nothing.
create or replace function functions_private.reclaim_contents(out bytes bigint, out is_more boolean)
language plpgsql set search_path = pg_catalog, pg_temp as $$
declare
    most constant integer := 1000; -- chunks in one transaction
    removed integer := 0;
    here integer;
    seen integer := 0;
    one record;
begin
    bytes := 0;
    is_more := false;
    -- A row, because an advisory lock could be held by any login of the database, which would keep buckets growing.
    perform from functions_private.buckets b where b.name = (select min(f.name) from functions_private.buckets f)
    for no key update skip locked;
    if not found then
        return;
    end if;
    perform functions_private.abort_upload(u.id) from functions_private.object_uploads u where u.began_at < now() - interval '7 days';
    update functions_private.object_contents c set retired_at = now() - interval '2 minutes'
    where c.sidecar is not null and c.retired_at is null
        and (c.touched_at < now() - interval '1 day'
             or c.touched_at < now() - interval '1 minute' and not exists (
                 select from functions_private.sidecars s where s.id = c.sidecar and s.seen_at > now() - interval '1 minute'));
    for one in
        select c.id, c.version, c.bucket, c.size from functions_private.object_contents c
        where c.retired_at < now() - interval '2 minutes' and (c.read_until is null or c.read_until < now())
        order by c.retired_at limit 1000 for update skip locked
    loop
        seen := seen + 1;
        delete from functions_private.object_chunks k where k.ctid = any (array(
            select x.ctid from functions_private.object_chunks x where x.content = one.id limit most - removed));
        get diagnostics here = row_count;
        removed := removed + here;
        if removed >= most then
            is_more := true; -- the rest of this one is removed by the next call
            return;
        end if;
        delete from functions_private.object_contents c where c.id = one.id;
        delete from functions_private.object_parts p where p.version = one.version and p.content = one.id;
        perform functions_private.add_bucket_usage(one.bucket, -one.size)
        from functions_private.buckets b where b.name = one.bucket;
        bytes := bytes + one.size;
    end loop;
    is_more := seen = 1000;
end
$$;
comment on function functions_private.reclaim_contents() is
    'Removes what deleted objects, dead writers and abandoned uploads have left; returns how many bytes.';
revoke all on function functions_private.reclaim_contents() from public;
