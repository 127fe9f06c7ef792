create or replace view functions.stats as
select f.name as function,
       coalesce(s.invocations, 0)  as invocations,
       coalesce(s.errors, 0)       as errors,
       s.p50_ms, s.p95_ms, s.p99_ms,
       s.mean_cpu_ms,
       s.memory_peak,
       s.last_invoked_at
from functions_private.functions f
left join lateral (
    select count(*)                                                                       as invocations,
           count(*) filter (where i.status <> 'succeeded')                                as errors,
           round((percentile_cont(0.50) within group (order by i.duration_ms))::numeric, 3) as p50_ms,
           round((percentile_cont(0.95) within group (order by i.duration_ms))::numeric, 3) as p95_ms,
           round((percentile_cont(0.99) within group (order by i.duration_ms))::numeric, 3) as p99_ms,
           round(avg(i.cpu_ms)::numeric, 3)                                               as mean_cpu_ms,
           max(i.memory_peak)                                                             as memory_peak,
           max(i.started_at)                                                              as last_invoked_at
    from functions_private.invocations i
    where i.function = f.name and i.started_at > now() - interval '24 hours'
) s on true;
comment on view functions.stats is 'The last 24 hours of each function: invocations, outcomes, durations (milliseconds), memory (bytes).';
