create or replace view functions.ai_providers as
select p.name, p.kind, p.base_url, p.held, p.api_key is not null as has_api_key, p.header_names as headers, p.timeout_ms, p.first_chunk_ms,
    p.retries, p.models, p.log_contents, p.created_at, p.updated_at
from functions_private.ai_providers p;
comment on view functions.ai_providers is 'The providers of models, without their credentials. Times in milliseconds. held: a copy does not ask them (functions.adopt).';
