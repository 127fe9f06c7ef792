-- functions_private.capture_change(): the row trigger of tables and partitions whose updates and deletes are not published, because they could fail. Writes
-- the change into the WAL as a message: {xid, op, relation, schema, table, columns: [[name, type, whether it is published, attribute number in the root]], old, new} under an HMAC, the rows as the texts of
-- composite values. The names are the root's, as those of published changes are.
-- format(), not a cast: a cast from the table's type to text may be a function of the table's owner. What can't be written must not fail the
-- statement: it becomes a message that says so, and a dead letter.
-- Everybody's: who makes a partition of a table that is theirs gives it this trigger by that. It can't be called, nor named without the schema.
create or replace function functions_private.capture_change() returns trigger
language plpgsql security definer set search_path = pg_catalog, pg_temp
set datestyle = 'ISO, MDY' set intervalstyle = postgres set timezone = 'UTC' set bytea_output = hex set extra_float_digits = 1 as $$
declare
    root oid := coalesce(pg_partition_root(tg_relid), tg_relid);
    payload text;
    key functions_private.context_key;
begin
    -- A table that is published and then attached has both. The snapshot may be older than the publication's change: the server's own function says how it is.
    if exists (select from pg_publication_rel r join pg_publication p on p.oid = r.prpubid where p.pubname = 'functions_events_changes' and r.prrelid = tg_relid)
       and exists (select from pg_get_publication_tables('functions_events_changes') t where t.relid = tg_relid) then
        return null;
    end if;
    -- One that was attached, with a trigger of its own, has the inherited one as well.
    if tg_name = 'functions_capture_own_change'
       and exists (select from pg_trigger t where t.tgrelid = tg_relid and t.tgname = 'functions_capture_change' and t.tgenabled <> 'D') then
        return null;
    end if;
    begin
        payload := json_build_object('xid', pg_current_xact_id()::text, 'op', left(tg_op, 1), 'relation', root::bigint,
            'schema', n.nspname, 'table', c.relname,
            'columns', (select json_agg(json_build_array(a.attname, a.atttypid::bigint,
                            a.attgenerated = '' or a.attgenerated = 's' and current_setting('server_version_num')::integer >= 180000, r.attnum) order by a.attnum)
                        from pg_attribute a join pg_attribute r on r.attrelid = root and r.attname = a.attname
                        where a.attrelid = tg_relid and a.attnum > 0 and not a.attisdropped),
            'old', format('%s', old), 'new', case when tg_op = 'UPDATE' then format('%s', new) end)::text
        from pg_class c join pg_namespace n on n.oid = c.relnamespace where c.oid = root;
        if octet_length(payload) > 256 * 1024 * 1024 then
            raise exception 'The old and the new row are larger than 256 MB.' using errcode = 'program_limit_exceeded';
        end if;
    exception when others then
        payload := json_build_object('xid', pg_current_xact_id()::text, 'op', left(tg_op, 1), 'relation', root::bigint, 'error', sqlerrm)::text;
    end;
    select k.* into key from functions_private.context_key k;
    perform pg_logical_emit_message(true, 'functions.change',
        convert_to(encode(sha256(key.outer_pad || sha256(key.inner_pad || convert_to('change' || payload, 'UTF8'))), 'hex') || payload, 'UTF8'));
    return null;
end
$$;
comment on function functions_private.capture_change() is 'Trigger: writes updates and deletes that are not published into the WAL.';
grant execute on function functions_private.capture_change() to public;
