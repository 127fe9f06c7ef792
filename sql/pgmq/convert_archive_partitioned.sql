-- pgmq.convert_archive_partitioned(table_name, partition_interval, retention_interval, leading_partition): partitions the archive of the
-- queue table_name. The former archive is kept as a_<name>_old. A notice if it is partitioned, or does not exist.
-- Without a pinned search_path: pg_partman sets the path for the session when it ends, to what it finds.
create or replace function pgmq.convert_archive_partitioned(table_name text, partition_interval text default '10000',
    retention_interval text default '100000', leading_partition integer default 10) returns void
language plpgsql as $$
declare
    archive text := pgmq.format_table_name(table_name, 'a');
    old text := archive || '_old';
    col text := case pgmq._get_partition_col(partition_interval) when 'enqueued_at' then 'archived_at' else 'msg_id' end;
    kind "char" := (select c.relkind from pg_class c where c.relnamespace = 'pgmq'::regnamespace and c.relname = archive);
    index_name text := 'archived_at_idx_' || lower(table_name);
begin
    perform pgmq._ensure_pg_partman_installed();
    if kind is null then
        raise notice 'Table %s does not exist', archive;
        return;
    elsif kind = 'p' then
        raise notice 'Table %s is already partitioned', archive;
        return;
    end if;
    execute format('alter table pgmq.%I rename to %I', archive, old);
    execute format('create table pgmq.%I (like pgmq.%I including defaults including generated including storage including comments)
        partition by range (%I)', archive, old, col);
    -- Unquoted where possible, so that an over-long name is cut, as every identifier is.
    execute 'alter index pgmq.' || quote_ident(index_name) || ' rename to ' || quote_ident(index_name || '_old');
    execute 'create index ' || quote_ident(index_name) || ' on pgmq.' || quote_ident(archive) || ' (archived_at)';
    perform pgmq._create_partitions(archive, col, partition_interval, retention_interval, leading_partition);
end
$$;
comment on function pgmq.convert_archive_partitioned(text, text, text, integer) is
    'Partitions the archive of a queue; the former archive is kept as a_<name>_old.';
