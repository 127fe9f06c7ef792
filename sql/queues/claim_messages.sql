-- functions_private.claim_messages(queue, sidecar, batches, since, shares, stays_waiting) -> the messages of up to so many batches, leased
-- to the sidecar for the consumer's visibility; or one row without a batch that says in wait_ms when a batch that waits for more messages
-- is due.
--   since   messages that became visible before this time are not looked for: they were found to be taken. Null: all are
--   shares  small batches may share a lease: batch is the lease, and number says which of its messages are one batch. A row for each
--           message that is claimed and deleted again costs as much as the message itself
--   stays_waiting  the sidecar is recorded as waiting also if there are messages
-- If there is nothing, the sidecar is recorded as waiting, which makes senders notify it: a sidecar has to look once more afterwards. If
-- there are messages and it stays waiting, it need not, unless it was no longer recorded: a row without a batch then has a wait_ms of 0.
-- The commit is asynchronous, because a claim that a crash of the server loses is a message that is still waiting.
-- The statement on the queue's table is planned once in a session. Its plan must be as good for a million messages as for none, so the
-- planner may choose nothing but look-ups in the indexes by vt and by msg_id.
create or replace function functions_private.claim_messages(queue text, sidecar uuid, batches integer, since timestamptz,
    shares boolean default false, stays_waiting boolean default false)
returns table (batch uuid, msg_id bigint, attempt integer, sent_at timestamptz, message text, headers text, visible_at timestamptz,
    wait_ms double precision, number bigint)
language plpgsql set search_path = pg_catalog, pg_temp set synchronous_commit = off
set plan_cache_mode = force_generic_plan set enable_seqscan = off set enable_bitmapscan = off set enable_nestloop = off
set enable_sort = off set jit = off as $$
declare
    most_in_lease constant integer := 64; -- messages; outcomes that are recorded at once wait for each other's lease
    consumer functions_private.queue_consumers;
    source text := pgmq.format_table_name(queue, 'q');
    moment timestamptz := clock_timestamp();
    free integer := batches;
    batches_in_lease integer := 1;
    ready bigint;
    oldest timestamptz;
    plan text;
    is_found boolean := false;
begin
    select c.* into consumer from functions_private.queue_consumers c where c.queue = claim_messages.queue and not c.held;
    if consumer.concurrency is not null or consumer.ordered or consumer.batch_timeout_ms > 0 then
        -- One claim at a time, each of which sees what the former one took. Two at once could each take a part of a batch that is full.
        perform from functions_private.queue_consumers c where c.queue = claim_messages.queue for update;
        moment := clock_timestamp();
    end if;
    if consumer.concurrency is not null then
        -- A lease has several batches only if it was made before the consumer had a concurrency.
        free := least(batches, consumer.concurrency - (
            select coalesce(sum(ceil(cardinality(b.msg_ids)::numeric / consumer.batch_size)), 0)
            from functions_private.queue_batches b where b.queue = claim_messages.queue and b.until > moment)::integer);
    elsif shares then
        batches_in_lease := greatest(1, most_in_lease / consumer.batch_size);
    end if;
    if consumer.queue is null or free <= 0 then
        return;
    end if;
    if consumer.batch_timeout_ms > 0 then
        execute format('select count(*), min(v.vt) from (select m.vt from pgmq.%I m where m.vt <= $1 order by m.vt limit $2) v', source)
            into ready, oldest using moment, consumer.batch_size;
        if ready between 1 and consumer.batch_size - 1 and oldest > moment - consumer.batch_timeout_ms * interval '1 millisecond' then
            wait_ms := consumer.batch_timeout_ms - extract(epoch from moment - oldest) * 1000;
            return next;
            free := 0;
        end if;
    end if;
    if free > 0 then
        plan := case when consumer.ordered then 'claim groups ' else 'claim ' end || md5(source);
        -- In this form the second condition on vt is not one for an index.
        perform functions_private.prepare_once(plan, 'timestamptz, timestamptz, integer, interval, integer, text, uuid, integer', format(
            'with chosen as materialized (%2$s), taken as (
                 update pgmq.%1$I m set vt = $1 + $4, read_ct = m.read_ct + 1 %3$s
                 where m.msg_id = any (array(select o.msg_id from chosen o)) and (m.vt <= $1) is true
                 returning m.msg_id, m.read_ct, m.enqueued_at, m.message::text, m.headers::text
             ), numbered as materialized (
                 select t.*, c.vt, coalesce(c.part, (row_number() over (order by c.vt, c.msg_id) - 1) / $5) as number
                 from taken t join chosen c on c.msg_id = t.msg_id
             ), leases as materialized (
                 select n.number / $8 as part, gen_random_uuid() as id, array_agg(n.msg_id) as ids, array_agg(n.read_ct) as counts
                 from numbered n group by n.number / $8
             ), recorded as (
                 insert into functions_private.queue_batches (id, queue, sidecar, msg_ids, read_cts, until)
                 select l.id, $6, $7, l.ids, l.counts, $1 + $4 from leases l
             )
             select l.id, n.msg_id, n.read_ct, n.enqueued_at, n.message, n.headers, n.vt, n.number
             from numbered n join leases l on l.part = n.number / $8 order by n.number, n.msg_id',
            source,
            case when consumer.ordered then 'select o.msg_id, o.vt, o.part from functions_private.next_in_groups($6, $1, $5, $3) o'
                else format('select m.msg_id, m.vt, null::bigint as part from pgmq.%I m
                    where m.vt <= $1 and m.vt >= coalesce($2, ''-infinity'') order by m.vt limit $3 for update skip locked', source)
                end,
            -- Older versions of the extension have no such column.
            case when exists (select from pg_attribute a where a.attrelid = format('pgmq.%I', source)::regclass
                and a.attname = 'last_read_at' and not a.attisdropped) then ', last_read_at = $1' else '' end));
        for batch, msg_id, attempt, sent_at, message, headers, visible_at, number in
            execute format('execute %I (%L, %L, %L, %L, %L, %L, %L, %L)', plan, moment, since, free * consumer.batch_size,
                make_interval(secs => consumer.visibility_seconds), consumer.batch_size, queue, sidecar, batches_in_lease)
        loop
            return next;
            is_found := true;
        end loop;
    end if;
    if is_found and not stays_waiting then
        delete from functions_private.queue_waits w where w.queue = claim_messages.queue and w.sidecar = claim_messages.sidecar;
    else
        insert into functions_private.queue_waits (queue, sidecar) values (claim_messages.queue, claim_messages.sidecar)
            on conflict do nothing;
        if is_found and found then
            batch := null;
            msg_id := null;
            number := null;
            wait_ms := 0;
            return next;
        end if;
    end if;
end
$$;
comment on function functions_private.claim_messages(text, uuid, integer, timestamptz, boolean, boolean) is
    'Leases the next messages of a queue to a sidecar, in batches.';
revoke all on function functions_private.claim_messages(text, uuid, integer, timestamptz, boolean, boolean) from public;
