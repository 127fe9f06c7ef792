-- functions.queues: the queues, how many messages they have, and which function consumes them at which rate. problem says why a queue with
-- messages may not be consumed.
create or replace view functions.queues as
select c.name, b.count as depth, b.bytes, b.oldest as oldest_sent_at, coalesce(l.in_flight, 0) as in_flight, k.function, k.role,
       case when k.queue is null then 'not consumed' when k.held then 'held' else 'active' end as state,
       case when k.queue is not null and not f.enabled then 'The function is disabled: messages wait until it is enabled.'
            when k.queue is not null and f.active_version is null then 'The function has no version that is ready: messages wait for one.'
            when b.count is null and c.has_table then format('Its tables belong to another role: alter table pgmq.%I owner to %I, and its archive.',
                lower('q_' || c.name), (select pg_get_userbyid(o.nspowner) from pg_namespace o where o.nspname = 'functions_private'))
            when b.count is null then 'The tables of the queue are gone: select functions.drop_queue(name), or create them again.'
            end as problem,
       coalesce(n.delivered / 5.0, 0) as delivered_per_minute, coalesce(n.retried / 5.0, 0) as retried_per_minute,
       coalesce(n.dead / 5.0, 0) as dead_per_minute,
       k.dead_letter_queue, k.batch_size, k.batch_timeout_ms, k.max_retries, k.retry_delay_seconds, k.max_retry_delay_seconds,
       k.concurrency, k.visibility_seconds, k.ordered, k.archive, k.created_at, k.updated_at
from functions_private.queue_names() c
left join functions_private.queue_consumers k on k.queue = c.name
left join functions_private.functions f on f.name = k.function
left join lateral functions_private.queue_backlog(c.name) b on c.has_table
left join lateral (
    select sum(cardinality(x.msg_ids)) as in_flight from functions_private.queue_batches x
    where x.queue = c.name and x.until > now()) l on true
left join lateral (
    select sum(m.delivered) as delivered, sum(m.retried) as retried, sum(m.dead) as dead from functions_private.queue_counts m
    where m.queue = c.name and m.minute > now() - interval '5 minutes') n on true;
comment on view functions.queues is 'The queues: how many messages they have, which function consumes them, its options and rates.';
