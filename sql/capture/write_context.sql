-- functions_private.write_context() writes the writer of the changes that follow into the WAL, as a message {xid, role, sub, claims, depth}
-- under an HMAC. Any user may write messages into the WAL; this one can be neither forged nor reused in another transaction. It is written
-- as bytes: text would be in the database's encoding, which is not what was signed.
create or replace function functions_private.write_context() returns void
language plpgsql set search_path = pg_catalog, pg_temp as $$
declare
    caller jsonb := functions_private.caller();
    payload text;
    key functions_private.context_key;
begin
    if caller is not null then
        payload := (caller || jsonb_build_object('xid', pg_current_xact_id()::text))::text;
        select k.* into key from functions_private.context_key k;
        perform pg_logical_emit_message(true, 'functions.context',
            convert_to(encode(sha256(key.outer_pad || sha256(key.inner_pad || convert_to('wal' || payload, 'UTF8'))), 'hex') || payload,
                'UTF8'));
    end if;
end
$$;
comment on function functions_private.write_context() is 'Writes the writer of the changes that follow into the WAL, authenticated.';
revoke all on function functions_private.write_context() from public;
