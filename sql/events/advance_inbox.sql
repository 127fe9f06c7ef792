-- functions_private.advance_inbox(epoch, lsn) records that every transaction that committed up to lsn is stored in the inbox. Takes effect
-- with this transaction. Raises object_in_use when another sidecar has become the reader: the caller must then roll back.
create or replace function functions_private.advance_inbox(epoch bigint, lsn pg_lsn) returns void
language plpgsql set search_path = pg_catalog, pg_temp as $$
begin
    update functions_private.replication r set stored_lsn = lsn, stored_at = now() where r.epoch = advance_inbox.epoch;
    if not found then
        raise exception 'Another sidecar reads the WAL now (epoch % is over).', advance_inbox.epoch using errcode = 'object_in_use';
    end if;
end
$$;
comment on function functions_private.advance_inbox(bigint, pg_lsn) is
    'Records up to which LSN the inbox is complete; raises when another sidecar has become the reader.';
revoke all on function functions_private.advance_inbox(bigint, pg_lsn) from public;
