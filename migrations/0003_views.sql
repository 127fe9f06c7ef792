-- What a person selects. No view shows a source, a snapshot or a secret; functions.source(name) prints a source.

create view functions.functions as
select f.name,
       f.enabled,
       f.active_version,
       latest.version                         as latest_version,
       latest.status                          as latest_status,
       coalesce(active.language, latest.language) as language,
       coalesce(active.options, latest.options)   as options,
       (select array_agg(e.key order by e.key) from functions_private.environment e where e.function = f.name) as environment,
       (select array_agg(s.key order by s.key) from functions_private.secrets s where s.function = f.name)     as secrets,
       (select array_agg(h.pattern order by h.pattern) from functions_private.hosts h where h.function = f.name) as hosts,
       f.created_at,
       f.updated_at
from functions_private.functions f
left join functions_private.versions active on active.function = f.name and active.version = f.active_version
left join lateral (
    select v.version, v.status, v.language, v.options
    from functions_private.versions v
    where v.function = f.name
    order by v.version desc
    limit 1
) latest on true;
comment on view functions.functions is 'The deployed functions: which version answers, and what each was given (values of variables and secrets are not shown).';

create view functions.versions as
select v.function,
       v.version,
       v.version = f.active_version            as active,
       v.status,
       v.error ->> 'message'                   as error,
       v.language,
       octet_length(v.source)                  as source_bytes,
       left(encode(v.source_hash, 'hex'), 12)  as source_hash,
       v.options,
       v.engine,
       octet_length(v.snapshot)                as snapshot_bytes,
       v.info,
       v.compiled_ms,
       v.rolled_back,
       v.created_at,
       v.ready_at
from functions_private.versions v
join functions_private.functions f on f.name = v.function;
comment on view functions.versions is 'Every version of every function, and how its compilation went.';

create view functions.invocations as
select started_at, function, version, trigger, status, error_code, error_message,
       round(duration_ms::numeric, 3) as duration_ms, round(queue_ms::numeric, 3) as queue_ms, round(cpu_ms::numeric, 3) as cpu_ms,
       memory_peak, role, user_id, request_id, trace_id, id
from functions_private.invocations;
comment on view functions.invocations is 'Every invocation of the retention period, one row each. Times in milliseconds, memory in bytes.';

create view functions.logs as
select logged_at, function, level, message, source, invocation_id, seq
from functions_private.logs;
comment on view functions.logs is 'What functions wrote with console and log; the last lines: select * from functions.logs order by logged_at desc limit 20.';

create view functions.stats as
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
comment on view functions.stats is 'The last 24 hours of each function: how often, how well, how long (milliseconds), how much memory (bytes).';

create view functions.sidecars as
select id, host, engine, started_at, seen_at, seen_at > now() - interval '15 seconds' as alive
from functions_private.sidecars;
comment on view functions.sidecars is 'The sidecars that serve this database, and when each was last heard of.';
