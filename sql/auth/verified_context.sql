-- functions_private.verified_context() -> {exp, pid, role, claims} of the running statement, or null
-- The sidecar sets functions.context = hex(HMAC-SHA256(key, payload)) || payload for each statement. Any user may set it; only the sidecar
-- and this function know the key. Null when it is missing, forged, expired, or made for another backend.
-- Only functions.uid(), role() and claims() may call it. It uses their pinned search_path: pinning it again costs 3 us per statement.
create or replace function functions_private.verified_context() returns jsonb
language plpgsql stable parallel restricted as $$
declare
    signed text := current_setting('functions.context', true);
    payload text;
    context jsonb;
    key functions_private.context_key;
begin
    if signed is null or length(signed) <= 64 then
        return null;
    end if;
    payload := substr(signed, 65);
    select k.* into key from functions_private.context_key k;
    if encode(sha256(key.outer_pad || sha256(key.inner_pad || convert_to(payload, 'UTF8'))), 'hex') is distinct from left(signed, 64) then
        return null;
    end if;
    context := payload::jsonb; -- only what the sidecar signed is ever parsed
    if (context ->> 'pid')::integer is distinct from pg_backend_pid()
       or (context ->> 'exp')::double precision < extract(epoch from clock_timestamp()) * 1000 then
        return null;
    end if;
    return context;
end
$$;
comment on function functions_private.verified_context() is
    'The caller''s context, if the sidecar signed it for this backend and it has not expired; else null.';
revoke all on function functions_private.verified_context() from public;
