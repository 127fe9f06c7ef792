-- functions_private.capture_change(): row trigger of tables and partitions whose updates and deletes are not published, because they could
-- fail. Writes the change into the WAL as a message {xid, op, relation, schema, table, columns: [[name, type, is published, attribute
-- number in the root]], old, new} under an HMAC. Rows are in the text form of composite values. Names are the root's, as in published
-- changes.
-- Uses format(), not a cast: a cast from the table's type to text may call a function of the table's owner. A change that can't be written
-- must not fail the statement: it becomes a message with the error, and then a dead letter.
-- It runs for every row. For a table that is not a partition it executes two statements with cached plans (force_generic_plan: planning
-- takes longer than running them). JSON is built as text, and settings are changed only where they differ; the SET clause of this function
-- restores them when it ends. Executable by PUBLIC: a user who creates a partition of an own table gives it this trigger. It can't be
-- called directly.
create or replace function functions_private.capture_change() returns trigger
language plpgsql security definer set search_path = pg_catalog, pg_temp set plan_cache_mode = force_generic_plan as $$
declare
    root constant oid := pg_partition_root(tg_relid);
    schema_name text := tg_table_schema;
    table_name text := tg_table_name;
    key functions_private.context_key;
    columns text;
    payload text;
    content bytea;
begin
    if root is not null then
        -- A partition that was published before it was attached has both ways. The snapshot may be older than the publication's change: the
        -- server's own function returns the current state.
        if exists (select from pg_publication_rel r where r.prrelid = tg_relid
            and r.prpubid = (select p.oid from pg_publication p where p.pubname = 'functions_events_changes'))
           and exists (select from pg_get_publication_tables('functions_events_changes') t where t.relid = tg_relid) then
            return null;
        end if;
        -- An attached partition with its own trigger has the inherited one as well.
        if tg_name = 'functions_capture_own_change'
           and exists (select from pg_trigger t where t.tgrelid = tg_relid and t.tgname = 'functions_capture_change'
               and t.tgenabled <> 'D') then
            return null;
        end if;
    end if;
    if current_setting('datestyle') <> 'ISO, MDY' then perform set_config('datestyle', 'ISO, MDY', true); end if;
    if current_setting('intervalstyle') <> 'postgres' then perform set_config('intervalstyle', 'postgres', true); end if;
    if current_setting('timezone') <> 'UTC' then perform set_config('timezone', 'UTC', true); end if;
    if current_setting('bytea_output') <> 'hex' then perform set_config('bytea_output', 'hex', true); end if;
    if current_setting('extra_float_digits') <> '1' then perform set_config('extra_float_digits', '1', true); end if;
    select k.* into key from functions_private.context_key k;
    begin
        if root is null then
            select string_agg('[' || to_json(a.attname::text) || ',' || a.atttypid
                || case when a.attgenerated = '' or a.attgenerated = 's' and current_setting('server_version_num')::integer >= 180000
                    then ',true,' else ',false,' end
                || a.attnum || ']', ',')
            into columns from (select * from pg_attribute a where a.attrelid = tg_relid and a.attnum > 0
                and not a.attisdropped order by a.attnum) a;
        else
            select string_agg('[' || to_json(a.attname::text) || ',' || a.atttypid
                || case when a.attgenerated = '' or a.attgenerated = 's' and current_setting('server_version_num')::integer >= 180000
                    then ',true,' else ',false,' end
                || (select r.attnum from pg_attribute r where r.attrelid = root and r.attname = a.attname) || ']', ',')
            into columns from (select * from pg_attribute a where a.attrelid = tg_relid and a.attnum > 0
                and not a.attisdropped order by a.attnum) a;
            select (select n.nspname from pg_namespace n where n.oid = c.relnamespace), c.relname into schema_name, table_name
                from pg_class c where c.oid = root;
        end if;
        payload := '{"xid":"' || pg_current_xact_id() || '","op":"' || left(tg_op, 1) || '","relation":' || coalesce(root, tg_relid)
            || ',"schema":' || to_json(schema_name) || ',"table":' || to_json(table_name) || ',"columns":[' || columns || '],"old":'
                || to_json(format('%s', old))
            || case when tg_op = 'UPDATE' then ',"new":' || to_json(format('%s', new)) else '' end || '}';
        if octet_length(payload) > 256 * 1024 * 1024 then
            raise exception 'The old and the new row are larger than 256 MB.' using errcode = 'program_limit_exceeded';
        end if;
    exception when others then
        payload := json_build_object('xid', pg_current_xact_id()::text, 'op', left(tg_op, 1), 'relation', coalesce(root, tg_relid)::bigint,
            'error', sqlerrm)::text;
    end;
    content := convert_to(payload, 'UTF8');
    perform pg_logical_emit_message(true, 'functions.change',
        convert_to(encode(sha256(key.outer_pad || sha256(key.inner_pad || convert_to('change', 'UTF8') || content)), 'hex'), 'UTF8')
            || content);
    return null;
end
$$;
comment on function functions_private.capture_change() is 'Trigger: writes updates and deletes that are not published into the WAL.';
grant execute on function functions_private.capture_change() to public;
