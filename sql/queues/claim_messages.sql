-- functions_private.claim_messages(queue, sidecar, batches, since) -> the messages of up to so many batches, leased to the sidecar for the
-- consumer's visibility; or one row without a batch that says in wait_ms when a batch that waits for more messages is due.
--   since   messages that became visible before this time are not looked for: they were found to be taken. Null: all are
-- If there is nothing, the sidecar is recorded as waiting, which makes senders notify it: a sidecar has to look once more afterwards.
-- The commit is asynchronous, because a claim that a crash of the server loses is a message that is still waiting.
create or replace function functions_private.claim_messages(queue text, sidecar uuid, batches integer, since timestamptz)
returns table (batch uuid, msg_id bigint, attempt integer, sent_at timestamptz, message text, headers text, visible_at timestamptz,
    wait_ms double precision)
language plpgsql set search_path = pg_catalog, pg_temp set synchronous_commit = off as $$
declare
    consumer functions_private.queue_consumers;
    source text := pgmq.format_table_name(queue, 'q');
    moment timestamptz := clock_timestamp();
    free integer := batches;
    ready bigint;
    oldest timestamptz;
begin
    select c.* into consumer from functions_private.queue_consumers c where c.queue = claim_messages.queue and not c.held;
    if consumer.concurrency is not null or consumer.ordered then
        -- One claim at a time, each of which sees what the former one took.
        perform from functions_private.queue_consumers c where c.queue = claim_messages.queue for update;
        moment := clock_timestamp();
    end if;
    if consumer.concurrency is not null then
        free := least(batches, consumer.concurrency - (select count(*) from functions_private.queue_batches b
            where b.queue = claim_messages.queue and b.until > moment)::integer);
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
        -- By the array, messages are always found in the index: joined with a few hundred rows, the server may read the whole queue.
        return query execute format(
            'with chosen as materialized (%2$s), taken as (
                 update pgmq.%1$I m set vt = $1 + $4, read_ct = m.read_ct + 1 %3$s from chosen c
                 where m.msg_id = c.msg_id and m.msg_id = any (array(select o.msg_id from chosen o)) and m.vt <= $1
                 returning m.msg_id, m.read_ct, m.enqueued_at, m.message::text, m.headers::text, c.vt, c.part
             ), numbered as materialized (
                 select t.*, coalesce(t.part, (row_number() over (order by t.vt, t.msg_id) - 1) / $5) as number from taken t
             ), leases as materialized (
                 select n.number, gen_random_uuid() as id, array_agg(n.msg_id) as ids, array_agg(n.read_ct) as counts
                 from numbered n group by n.number
             ), recorded as (
                 insert into functions_private.queue_batches (id, queue, sidecar, msg_ids, read_cts, until)
                 select l.id, $6, $7, l.ids, l.counts, $1 + $4 from leases l
             )
             select l.id, n.msg_id, n.read_ct, n.enqueued_at, n.message, n.headers, n.vt, null::double precision
             from numbered n join leases l on l.number = n.number order by n.number, n.msg_id',
            source,
            case when consumer.ordered then 'select o.msg_id, o.vt, o.part from functions_private.next_in_groups($6, $1, $5, $3) o'
                else format('select m.msg_id, m.vt, null::bigint as part from pgmq.%I m where m.vt <= $1 %s
                    order by m.vt limit $3 for update skip locked', source, case when since is not null then 'and m.vt >= $2' else '' end)
                end,
            -- Older versions of the extension have no such column.
            case when exists (select from pg_attribute a where a.attrelid = format('pgmq.%I', source)::regclass
                and a.attname = 'last_read_at' and not a.attisdropped) then ', last_read_at = $1' else '' end)
            using moment, since, free * consumer.batch_size, make_interval(secs => consumer.visibility_seconds), consumer.batch_size,
                queue, sidecar;
    end if;
    if found then
        delete from functions_private.queue_waits w where w.queue = claim_messages.queue and w.sidecar = claim_messages.sidecar;
    else
        insert into functions_private.queue_waits (queue, sidecar) values (claim_messages.queue, claim_messages.sidecar)
            on conflict do nothing;
    end if;
end
$$;
comment on function functions_private.claim_messages(text, uuid, integer, timestamptz) is
    'Leases the next messages of a queue to a sidecar, in batches.';
revoke all on function functions_private.claim_messages(text, uuid, integer, timestamptz) from public;
