-- pgmq._create_tables(queue_name, is_unlogged): the two tables of a queue that is not partitioned, their indexes, and its row in pgmq.meta.
create or replace function pgmq._create_tables(queue_name text, is_unlogged boolean) returns void
language plpgsql set search_path = pg_catalog, pg_temp as $$
declare
    queue text := pgmq.format_table_name(queue_name, 'q');
    archive text := pgmq.format_table_name(queue_name, 'a');
begin
    perform pgmq.validate_queue_name(queue_name);
    -- First, because it waits for a transaction that creates the same queue.
    insert into pgmq.meta (queue_name, is_partitioned, is_unlogged)
    values (_create_tables.queue_name, false, _create_tables.is_unlogged) on conflict do nothing;
    execute format(
        'create %s table if not exists pgmq.%I (
            msg_id bigint primary key generated always as identity, read_ct integer default 0 not null,
            enqueued_at timestamptz default now() not null, last_read_at timestamptz, vt timestamptz not null, message jsonb,
            headers jsonb)',
        case when is_unlogged then 'unlogged' else '' end, queue);
    execute format(
        'create table if not exists pgmq.%I (
            msg_id bigint primary key, read_ct integer default 0 not null, enqueued_at timestamptz default now() not null,
            last_read_at timestamptz, archived_at timestamptz default now() not null, vt timestamptz not null, message jsonb,
            headers jsonb)',
        archive);
    execute format('create index if not exists %I on pgmq.%I (vt)', queue || '_vt_idx', queue);
    execute format('create index if not exists %I on pgmq.%I (archived_at)', 'archived_at_idx_' || lower(queue_name), archive);
end
$$;
comment on function pgmq._create_tables(text, boolean) is 'Creates the tables of a queue that is not partitioned.';
