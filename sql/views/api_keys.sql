create or replace view functions.api_keys as
select k.name,
       'pgfn_' || k.id || '_'                             as key_prefix,
       k.scopes,
       k.functions,
       k.created_at,
       k.created_by,
       k.expires_at,
       coalesce(k.expires_at <= now(), false)              as expired,
       k.last_used_at
from functions_private.api_keys k;
comment on view functions.api_keys is
    'API keys of the management API: scopes, last use (to the minute), expiry. The keys themselves are not stored.';
