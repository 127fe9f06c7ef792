-- pgmq._create_partitions(table_name, control, partition_interval, retention_interval, premake): gives a table of the schema pgmq to
-- pg_partman, unless it has it.
-- Without a pinned search_path: pg_partman sets the path for the session when it ends, to what it finds.
create or replace function pgmq._create_partitions(table_name text, control text, partition_interval text, retention_interval text,
    premake integer) returns void
language plpgsql as $$
declare
    partman text := pgmq._get_pg_partman_schema();
    qualified text := 'pgmq.' || table_name;
    is_known boolean;
begin
    execute format('select exists (select from %I.part_config where parent_table = $1)', partman) into is_known using qualified;
    if is_known then
        return;
    end if;
    if pgmq._get_pg_partman_major_version() = 5 then
        execute format('select %I.create_parent(p_parent_table := $1, p_control := $2, p_interval := $3, p_type := ''range'',
            p_premake := $4)', partman) using qualified, control, partition_interval, premake;
    else
        execute format('select %I.create_parent($1, $2, ''native'', $3, p_premake := $4)', partman)
            using qualified, control, partition_interval, premake;
    end if;
    execute format(
        'update %I.part_config set retention = $2, retention_keep_table = false, retention_keep_index = false,
            automatic_maintenance = ''on'', infinite_time_partitions = true where parent_table = $1', partman)
        using qualified, retention_interval;
end
$$;
comment on function pgmq._create_partitions(text, text, text, text, integer) is 'Gives a table of a queue to pg_partman.';
