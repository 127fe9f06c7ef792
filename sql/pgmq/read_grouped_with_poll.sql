-- pgmq.read_grouped_with_poll, read_grouped_rr_with_poll, read_grouped_head_with_poll: like the functions without _with_poll; if there is
-- nothing, they look again every poll_interval_ms, for at most max_poll_seconds.
create or replace function pgmq.read_grouped_with_poll(queue_name text, vt integer, qty integer, max_poll_seconds integer default 5,
    poll_interval_ms integer default 100) returns setof pgmq.message_record
language plpgsql set search_path = pg_catalog, pg_temp as $$
declare
    until timestamptz := clock_timestamp() + make_interval(secs => max_poll_seconds);
begin
    loop
        return query select * from pgmq.read_grouped(queue_name, vt, qty);
        exit when found or clock_timestamp() >= until;
        perform pg_sleep(poll_interval_ms / 1000.0);
    end loop;
end
$$;
comment on function pgmq.read_grouped_with_poll(text, integer, integer, integer, integer) is
    'Reads messages of the group with the oldest message; waits for one if there is none.';

create or replace function pgmq.read_grouped_rr_with_poll(queue_name text, vt integer, qty integer, max_poll_seconds integer default 5,
    poll_interval_ms integer default 100) returns setof pgmq.message_record
language plpgsql set search_path = pg_catalog, pg_temp as $$
declare
    until timestamptz := clock_timestamp() + make_interval(secs => max_poll_seconds);
begin
    loop
        return query select * from pgmq.read_grouped_rr(queue_name, vt, qty);
        exit when found or clock_timestamp() >= until;
        perform pg_sleep(poll_interval_ms / 1000.0);
    end loop;
end
$$;
comment on function pgmq.read_grouped_rr_with_poll(text, integer, integer, integer, integer) is
    'Reads messages of all groups in turns; waits for one if there is none.';

create or replace function pgmq.read_grouped_head_with_poll(queue_name text, vt integer, qty integer, max_poll_seconds integer default 5,
    poll_interval_ms integer default 100) returns setof pgmq.message_record
language plpgsql set search_path = pg_catalog, pg_temp as $$
declare
    until timestamptz := clock_timestamp() + make_interval(secs => max_poll_seconds);
begin
    loop
        return query select * from pgmq.read_grouped_head(queue_name, vt, qty);
        exit when found or clock_timestamp() >= until;
        perform pg_sleep(poll_interval_ms / 1000.0);
    end loop;
end
$$;
comment on function pgmq.read_grouped_head_with_poll(text, integer, integer, integer, integer) is
    'Reads the first message of each group; waits for one if there is none.';
