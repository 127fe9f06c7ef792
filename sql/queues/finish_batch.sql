-- functions_private.finish_batch(batch, acked, retried, delays, released, pause_ms, error_code, error_message)
-- -> how many messages were acknowledged, will be retried, and are dead; null in all three: the lease was lost, and nothing was changed
--   batch      the lease. It keeps the messages of its other batches, and ends with the last one
--   acked      are deleted, or archived if the consumer says so
--   retried    are delivered again after delays[i] seconds (null: the consumer's pause, doubled with each attempt); those without a retry
--              left go to the dead letter queue with the error, or to the archive
--   released   are delivered again after pause_ms, and this attempt does not count
-- A message that was taken by another reader meanwhile (its read_ct has changed) is left to that reader.
create or replace function functions_private.finish_batch(batch uuid, acked bigint[], retried bigint[], delays integer[], released bigint[],
    pause_ms double precision, error_code text, error_message text, out acks bigint, out retries bigint, out dead bigint)
language plpgsql set search_path = pg_catalog, pg_temp as $$
declare
    lease functions_private.queue_batches;
    consumer functions_private.queue_consumers;
    source text;
    ended bigint[] := coalesce(acked || retried || released, '{}');
    rest functions_private.queue_batches;
    exhausted bigint[];
begin
    select b.* into rest from functions_private.queue_batches b where b.id = batch for update;
    lease := rest;
    select array_agg(l.id) filter (where l.id = any (ended)), array_agg(l.count) filter (where l.id = any (ended)),
        array_agg(l.id) filter (where l.id <> all (ended)), array_agg(l.count) filter (where l.id <> all (ended))
    into lease.msg_ids, lease.read_cts, rest.msg_ids, rest.read_cts from unnest(lease.msg_ids, lease.read_cts) l (id, count);
    if lease.msg_ids is null then
        return;
    end if;
    if rest.msg_ids is null then
        delete from functions_private.queue_batches b where b.id = batch;
    else
        update functions_private.queue_batches b set msg_ids = rest.msg_ids, read_cts = rest.read_cts where b.id = batch;
    end if;
    select c.* into consumer from functions_private.queue_consumers c where c.queue = lease.queue;
    source := pgmq.format_table_name(lease.queue, 'q');
    select array_agg(l.id) into exhausted from unnest(lease.msg_ids, lease.read_cts) l (id, count)
    where l.id = any (retried) and l.count > coalesce(consumer.max_retries, 100);

    if coalesce(cardinality(acked), 0) = 0 and exhausted is null then
        -- If a crash of the server loses this commit, the messages are delivered again when the lease would have ended.
        perform set_config('synchronous_commit', 'off', true);
    end if;
    if cardinality(acked) > 0 then
        execute format(case when coalesce(consumer.archive, false) then
            'with moved as (delete from pgmq.%1$I m using unnest($1, $2) l (id, count)
                 where m.msg_id = l.id and m.read_ct = l.count and m.msg_id = any ($3)
                 returning m.msg_id, m.read_ct, m.enqueued_at, m.vt, m.message, m.headers),
             kept as (insert into pgmq.%2$I (msg_id, read_ct, enqueued_at, vt, message, headers) select * from moved)
             select count(*) from moved'
            else 'with gone as (delete from pgmq.%1$I m using unnest($1, $2) l (id, count)
                 where m.msg_id = l.id and m.read_ct = l.count and m.msg_id = any ($3) returning 1) select count(*) from gone' end,
            source, pgmq.format_table_name(lease.queue, 'a'))
            into acks using lease.msg_ids, lease.read_cts, acked;
    end if;
    if cardinality(retried) > 0 then
        -- At most 2^20 times the pause, which is beyond every maximum.
        execute format('with put_back as (
                 update pgmq.%I m set vt = clock_timestamp() + make_interval(secs => coalesce(r.delay::double precision,
                     least($5 * 2 ^ least(m.read_ct - 1, 20), greatest($5, $6))))
                 from unnest($1, $2) l (id, count), unnest($3, $4) r (id, delay)
                 where m.msg_id = l.id and m.read_ct = l.count and m.msg_id = r.id and l.count <= $7 returning 1)
             select count(*) from put_back', source)
            into retries using lease.msg_ids, lease.read_cts, retried, delays, coalesce(consumer.retry_delay_seconds, 1),
                coalesce(consumer.max_retry_delay_seconds, 300), coalesce(consumer.max_retries, 100);
    end if;
    if cardinality(exhausted) > 0 then
        dead := functions_private.bury_messages(lease, consumer, exhausted, error_code, error_message);
    end if;
    if cardinality(released) > 0 then
        execute format('update pgmq.%I m set vt = clock_timestamp() + $4 * interval ''1 millisecond'', read_ct = m.read_ct - 1
             from unnest($1, $2) l (id, count) where m.msg_id = l.id and m.read_ct = l.count and m.msg_id = any ($3)', source)
            using lease.msg_ids, lease.read_cts, released, pause_ms;
    end if;
    acks := coalesce(acks, 0);
    retries := coalesce(retries, 0);
    dead := coalesce(dead, 0);
end
$$;
comment on function functions_private.finish_batch(uuid, bigint[], bigint[], integer[], bigint[], double precision, text, text) is
    'Records the outcome of a batch of messages, if its lease is still held.';
revoke all on function functions_private.finish_batch(uuid, bigint[], bigint[], integer[], bigint[], double precision, text, text)
    from public;
