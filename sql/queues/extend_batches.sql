-- functions_private.extend_batches(ids) extends leases by the visibility of their consumers: their sidecar still works on them.
create or replace function functions_private.extend_batches(ids uuid[]) returns void
language plpgsql set search_path = pg_catalog, pg_temp set synchronous_commit = off as $$
declare
    lease record;
begin
    for lease in
        update functions_private.queue_batches b set until = clock_timestamp() + make_interval(secs => c.visibility_seconds)
        from functions_private.queue_consumers c where b.id = any (ids) and c.queue = b.queue returning b.*
    loop
        execute format('update pgmq.%I m set vt = $3 from unnest($1, $2) l (id, count) where m.msg_id = l.id and m.read_ct = l.count
            and m.vt < $3', pgmq.format_table_name(lease.queue, 'q')) using lease.msg_ids, lease.read_cts, lease.until;
    end loop;
end
$$;
comment on function functions_private.extend_batches(uuid[]) is 'Extends the leases of batches that are being delivered.';
revoke all on function functions_private.extend_batches(uuid[]) from public;
