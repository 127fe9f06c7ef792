create or replace view functions.versions as
select v.function,
       v.version,
       v.version = f.active_version            as active,
       v.status,
       v.error ->> 'message'                   as error,
       v.language,
       coalesce(octet_length(v.source), octet_length(v.module), v.code_bytes) as source_bytes,
       left(encode(v.source_hash, 'hex'), 12)  as source_hash,
       v.options,
       v.engine,
       octet_length(v.snapshot)                as snapshot_bytes,
       v.info,
       v.compiled_ms,
       v.rolled_back,
       v.created_at,
       v.ready_at,
       v.deployed_by,
       case when v.code_bucket is null then 'table' when num_nonnulls(v.source, v.module) = 0 then 'bucket' else 'both' end as code,
       v.code_bucket,
       v.code_move,
       v.code_error
from functions_private.versions v
join functions_private.functions f on f.name = v.function;
comment on view functions.versions is 'Every version of every function: outcome of its compilation, who deployed it, and where its code is.';
