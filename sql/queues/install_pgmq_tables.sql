-- functions_private.install_pgmq_tables(): the types and tables of the schema pgmq, and who may read and write queues: service_role, which
-- gets no right by which its code would run as somebody else, and pg_monitor, which reads.
create or replace function functions_private.install_pgmq_tables() returns void
language plpgsql set search_path = pg_catalog, pg_temp set client_min_messages = warning as $install$
begin
    if to_regtype('pgmq.message_record') is null then
        create type pgmq.message_record as (msg_id bigint, read_ct integer, enqueued_at timestamptz, last_read_at timestamptz,
            vt timestamptz, message jsonb, headers jsonb);
        create type pgmq.queue_record as (queue_name varchar, is_partitioned boolean, is_unlogged boolean, created_at timestamptz);
        create type pgmq.metrics_result as (queue_name text, queue_length bigint, newest_msg_age_sec integer,
            oldest_msg_age_sec integer, total_messages bigint, scrape_time timestamptz, queue_visible_length bigint,
            default_partition_length bigint);
        create type pgmq.topic_binding as (pattern text, queue_name text, bound_at timestamptz, compiled_regex text);
    end if;
    create table if not exists pgmq.meta (queue_name varchar unique not null, is_partitioned boolean not null, is_unlogged boolean not null,
        created_at timestamptz default now() not null);
    create unlogged table if not exists pgmq.notify_insert_throttle (
        queue_name varchar constraint notify_insert_throttle_queue_name_key unique not null
            constraint notify_insert_throttle_meta_queue_name_fk references pgmq.meta (queue_name) on delete cascade,
        throttle_interval_ms integer default 0 not null, last_notified_at timestamptz default to_timestamp(0) not null);
    create index if not exists idx_notify_throttle_active on pgmq.notify_insert_throttle (queue_name, last_notified_at)
        where throttle_interval_ms > 0;
    create table if not exists pgmq.topic_bindings (
        pattern text not null,
        queue_name text not null constraint topic_bindings_meta_queue_name_fk references pgmq.meta (queue_name) on delete cascade,
        bound_at timestamptz default now() not null,
        compiled_regex text generated always as (
            '^' || replace(replace(regexp_replace(pattern, '([.+?{}()|\[\]\\^$])', '\\\1', 'g'), '*', '[^.]+'), '#', '.*') || '$') stored,
        constraint topic_bindings_unique_pattern_queue unique (pattern, queue_name));
    create index if not exists idx_topic_bindings_covering on pgmq.topic_bindings (pattern) include (queue_name, compiled_regex);

    grant usage on schema pgmq to service_role, pg_monitor;
    grant select, insert, update, delete on all tables in schema pgmq to service_role;
    grant select on all sequences in schema pgmq to service_role, pg_monitor;
    grant select on all tables in schema pgmq to pg_monitor;
    alter default privileges in schema pgmq grant select, insert, update, delete on tables to service_role;
    alter default privileges in schema pgmq grant select on tables to pg_monitor;
    alter default privileges in schema pgmq grant select on sequences to service_role, pg_monitor;
end
$install$;
comment on function functions_private.install_pgmq_tables() is 'The types and tables of the schema pgmq, and its grants.';
revoke all on function functions_private.install_pgmq_tables() from public;
