create or replace view functions.ai_calls as
select c.started_at, c.function, c.operation, c.model, c.provider, c.provider_model, c.streamed, c.cached, c.input_tokens, c.output_tokens,
    c.cached_tokens, c.estimated, c.cost, round(c.duration_ms::numeric, 3) as duration_ms,
    round(c.first_chunk_ms::numeric, 3) as first_chunk_ms, c.finish_reason, c.attempts, c.error_code, c.error_message, c.role, c.user_id,
    c.invocation_id, c.metadata, c.request, c.response, c.id
from functions_private.ai_calls c;
comment on view functions.ai_calls is
    'Every call of a model in the retention period, one row each. Times in milliseconds; estimated: the provider stated no tokens.';
