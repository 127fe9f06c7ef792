-- pgmq.read_with_poll(queue_name, vt, qty, max_poll_seconds, poll_interval_ms, conditional): like read; if there is nothing, it looks again
-- every poll_interval_ms, for at most max_poll_seconds.
create or replace function pgmq.read_with_poll(queue_name text, vt integer, qty integer, max_poll_seconds integer default 5,
    poll_interval_ms integer default 100, conditional jsonb default '{}') returns setof pgmq.message_record
language plpgsql set search_path = pg_catalog, pg_temp as $$
declare
    until timestamptz := clock_timestamp() + make_interval(secs => max_poll_seconds);
begin
    loop
        return query select * from pgmq.read(queue_name, vt, qty, conditional);
        exit when found or clock_timestamp() >= until;
        perform pg_sleep(poll_interval_ms / 1000.0);
    end loop;
end
$$;
comment on function pgmq.read_with_poll(text, integer, integer, integer, integer, jsonb) is
    'Reads messages; waits for one if there is none.';
