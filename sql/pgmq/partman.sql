-- What the schema asks about the extensions that it may use.
create or replace function pgmq._extension_exists(extension_name text) returns boolean
language sql set search_path = pg_catalog, pg_temp as $$
    select exists (select from pg_extension e where e.extname = extension_name)
$$;
comment on function pgmq._extension_exists(text) is 'Whether an extension is installed in this database.';

create or replace function pgmq._belongs_to_pgmq(table_name text) returns boolean
language sql set search_path = pg_catalog, pg_temp as $$
    select exists (
        select from pg_depend d join pg_extension e on e.oid = d.refobjid and e.extname = 'pgmq'
        where d.refclassid = 'pg_extension'::regclass and d.deptype = 'e' and d.classid = 'pg_class'::regclass
          and d.objid = (select c.oid from pg_class c where c.relnamespace = 'pgmq'::regnamespace and c.relname = table_name))
$$;
comment on function pgmq._belongs_to_pgmq(text) is 'Whether a table is a member of an extension named pgmq.';

create or replace function pgmq._ensure_pg_partman_installed() returns void
language plpgsql set search_path = pg_catalog, pg_temp as $$
begin
    if not pgmq._extension_exists('pg_partman') then
        raise exception 'pg_partman is required for partitioned queues';
    end if;
end
$$;
comment on function pgmq._ensure_pg_partman_installed() is 'Raises if the extension pg_partman is not installed.';

create or replace function pgmq._get_pg_partman_schema() returns text
language sql set search_path = pg_catalog, pg_temp as $$
    select n.nspname::text from pg_extension e join pg_namespace n on n.oid = e.extnamespace where e.extname = 'pg_partman'
$$;
comment on function pgmq._get_pg_partman_schema() is 'The schema of the extension pg_partman.';

create or replace function pgmq._get_pg_partman_major_version() returns integer
language sql set search_path = pg_catalog, pg_temp as $$
    select split_part(e.extversion, '.', 1)::integer from pg_extension e where e.extname = 'pg_partman'
$$;
comment on function pgmq._get_pg_partman_major_version() is 'The first number of the version of pg_partman.';

create or replace function pgmq._get_partition_col(partition_interval text) returns text
language plpgsql set search_path = pg_catalog, pg_temp as $$
begin
    perform partition_interval::integer;
    return 'msg_id';
exception when others then
    return 'enqueued_at';
end
$$;
comment on function pgmq._get_partition_col(text) is 'By which column an interval partitions a queue: a whole number by msg_id.';
