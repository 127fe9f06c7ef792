create or replace view functions.invocations as
select started_at, function, version, trigger, status, error_code, error_message,
       round(duration_ms::numeric, 3) as duration_ms, round(queue_ms::numeric, 3) as queue_ms, round(cpu_ms::numeric, 3) as cpu_ms,
       memory_peak, role, user_id, request_id, trace_id, id
from functions_private.invocations;
comment on view functions.invocations is 'Every invocation of the retention period, one row each. Times in milliseconds, memory in bytes.';
