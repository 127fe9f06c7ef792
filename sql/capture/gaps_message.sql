-- functions_private.gaps_message() -> the content of the WAL message functions.gaps: the tables that can be written to without capturing
-- the writer, from now on for the rest of the transaction: {xid, relations} under an HMAC. Null when there are none.
create or replace function functions_private.gaps_message() returns bytea
language plpgsql set search_path = pg_catalog, pg_temp as $$
declare
    payload text := (select json_build_object('xid', pg_current_xact_id()::text, 'relations', json_agg(distinct g.relation::bigint))::text
                     from functions_private.capture_gaps() g having count(*) > 0);
    key functions_private.context_key;
begin
    select k.* into key from functions_private.context_key k;
    return convert_to(encode(sha256(key.outer_pad || sha256(key.inner_pad || convert_to('gaps' || payload, 'UTF8'))), 'hex') || payload,
        'UTF8');
end
$$;
comment on function functions_private.gaps_message() is
    'The content of the WAL message that lists the tables that can be written to without capturing the writer.';
revoke all on function functions_private.gaps_message() from public;
