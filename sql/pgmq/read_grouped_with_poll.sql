-- pgmq.read_grouped_with_poll, read_grouped_rr_with_poll, read_grouped_head_with_poll: like the functions without _with_poll; if there is
-- nothing, they look again every poll_interval_ms, for at most max_poll_seconds.
create or replace function pgmq._poll_groups(queue_name text, vt integer, qty integer, form text, max_poll_seconds integer,
    poll_interval_ms integer) returns setof pgmq.message_record
language plpgsql set search_path = pg_catalog, pg_temp as $$
declare
    until timestamptz := clock_timestamp() + make_interval(secs => max_poll_seconds);
begin
    loop
        return query select * from pgmq._read_groups(queue_name, vt, qty, form);
        exit when found or clock_timestamp() >= until;
        perform pg_sleep(poll_interval_ms / 1000.0);
    end loop;
end
$$;
comment on function pgmq._poll_groups(text, integer, integer, text, integer, integer) is
    'Reads messages in the order of their groups; waits for one if there is none.';

create or replace function pgmq.read_grouped_with_poll(queue_name text, vt integer, qty integer, max_poll_seconds integer default 5,
    poll_interval_ms integer default 100) returns setof pgmq.message_record
language sql set search_path = pg_catalog, pg_temp as $$
    select * from pgmq._poll_groups(queue_name, vt, qty, 'fill', max_poll_seconds, poll_interval_ms)
$$;
comment on function pgmq.read_grouped_with_poll(text, integer, integer, integer, integer) is
    'Reads messages of the group with the oldest message; waits for one if there is none.';

create or replace function pgmq.read_grouped_rr_with_poll(queue_name text, vt integer, qty integer, max_poll_seconds integer default 5,
    poll_interval_ms integer default 100) returns setof pgmq.message_record
language sql set search_path = pg_catalog, pg_temp as $$
    select * from pgmq._poll_groups(queue_name, vt, qty, 'round robin', max_poll_seconds, poll_interval_ms)
$$;
comment on function pgmq.read_grouped_rr_with_poll(text, integer, integer, integer, integer) is
    'Reads messages of all groups in turns; waits for one if there is none.';

create or replace function pgmq.read_grouped_head_with_poll(queue_name text, vt integer, qty integer, max_poll_seconds integer default 5,
    poll_interval_ms integer default 100) returns setof pgmq.message_record
language sql set search_path = pg_catalog, pg_temp as $$
    select * from pgmq._poll_groups(queue_name, vt, qty, 'head', max_poll_seconds, poll_interval_ms)
$$;
comment on function pgmq.read_grouped_head_with_poll(text, integer, integer, integer, integer) is
    'Reads the first message of each group; waits for one if there is none.';
