-- functions_private.release_batches(sidecar) -> the queues of which messages were released
-- Makes messages visible at once whose sidecar has had no heartbeat for 15 seconds; a sidecar that comes back finds its leases gone.
-- Removes what is left of leases that ended a minute ago, and of sidecars that wait no more.
create or replace function functions_private.release_batches(sidecar uuid) returns setof text
language plpgsql set search_path = pg_catalog, pg_temp as $$
declare
    lease functions_private.queue_batches;
begin
    for lease in
        delete from functions_private.queue_batches b
        where b.sidecar <> release_batches.sidecar
          and not exists (select from functions_private.sidecars s where s.id = b.sidecar and s.seen_at > now() - interval '15 seconds')
        returning b.*
    loop
        if to_regclass(format('pgmq.%I', pgmq.format_table_name(lease.queue, 'q'))) is not null then
            execute format('update pgmq.%I m set vt = clock_timestamp() from unnest($1, $2) l (id, count)
                where m.msg_id = l.id and m.read_ct = l.count', pgmq.format_table_name(lease.queue, 'q'))
                using lease.msg_ids, lease.read_cts;
            return next lease.queue;
        end if;
    end loop;
    delete from functions_private.queue_batches b where b.until < now() - interval '1 minute';
    delete from functions_private.queue_waits w
    where not exists (select from functions_private.sidecars s where s.id = w.sidecar and s.seen_at > now() - interval '15 seconds');
    delete from functions_private.queue_counts n where n.minute < now() - interval '1 hour';
end
$$;
comment on function functions_private.release_batches(uuid) is 'Releases the messages of sidecars that are gone.';
revoke all on function functions_private.release_batches(uuid) from public;
