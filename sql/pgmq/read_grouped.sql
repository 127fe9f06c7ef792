-- pgmq.read_grouped, read_grouped_rr, read_grouped_head(queue_name, vt, qty): read messages in the order of their groups
-- (headers ->> 'x-pgmq-group'). A group whose oldest message is hidden gives nothing, and no message after a hidden one is read.
--   read_grouped        fills the result from the group with the oldest message, then from the next group
--   read_grouped_rr     the first message of each group, then the second of each, and so on; in this order
--   read_grouped_head   the first message of each group
create or replace function pgmq._read_groups(queue_name text, vt integer, qty integer, form text) returns setof pgmq.message_record
language plpgsql set search_path = pg_catalog, pg_temp as $$
begin
    return query execute format(
        'with messages as materialized (
             select m.msg_id, coalesce(m.headers ->> ''x-pgmq-group'', ''_default_fifo_group'') as name, m.vt <= $3 as visible
             from pgmq.%1$I m
         ), groups as materialized (
             select name, min(msg_id) as head, min(msg_id) filter (where not visible) as barrier from messages group by name
         ), owned as materialized (
             -- The lock on the head keeps other readers away from the whole group.
             select m.msg_id as head from pgmq.%1$I m join groups g on g.head = m.msg_id
             where m.vt <= $3 order by m.msg_id limit $1 for update of m skip locked
         ), ranked as (
             select x.msg_id, g.head, row_number() over (partition by x.name order by x.msg_id) as layer
             from owned o join groups g on g.head = o.head join messages x on x.name = g.name
             where x.visible and (g.barrier is null or x.msg_id < g.barrier)
         ), chosen as materialized (
             select r.msg_id, row_number() over (order by %2$s) as n from ranked r %3$s order by n limit $1
         ), taken as (
             update pgmq.%1$I m set last_read_at = clock_timestamp(), vt = clock_timestamp() + $2, read_ct = m.read_ct + 1
             from chosen c where m.msg_id = c.msg_id
             returning m.msg_id, m.read_ct, m.enqueued_at, m.last_read_at, m.vt, m.message, m.headers, c.n
         )
         select t.msg_id, t.read_ct, t.enqueued_at, t.last_read_at, t.vt, t.message, t.headers from taken t order by t.n',
        pgmq.format_table_name(queue_name, 'q'),
        case form when 'round robin' then 'r.layer, r.head' else 'r.head, r.msg_id' end,
        case form when 'head' then 'where r.layer = 1' else '' end)
        using qty, make_interval(secs => vt), clock_timestamp();
end
$$;
comment on function pgmq._read_groups(text, integer, integer, text) is 'Reads messages in the order of their groups.';

create or replace function pgmq.read_grouped(queue_name text, vt integer, qty integer) returns setof pgmq.message_record
language sql set search_path = pg_catalog, pg_temp as $$ select * from pgmq._read_groups(queue_name, vt, qty, 'fill') $$;
comment on function pgmq.read_grouped(text, integer, integer) is 'Reads messages of the group with the oldest message, then of the next.';

create or replace function pgmq.read_grouped_rr(queue_name text, vt integer, qty integer) returns setof pgmq.message_record
language sql set search_path = pg_catalog, pg_temp as $$ select * from pgmq._read_groups(queue_name, vt, qty, 'round robin') $$;
comment on function pgmq.read_grouped_rr(text, integer, integer) is 'Reads messages of all groups in turns.';

create or replace function pgmq.read_grouped_head(queue_name text, vt integer, qty integer) returns setof pgmq.message_record
language sql set search_path = pg_catalog, pg_temp as $$ select * from pgmq._read_groups(queue_name, vt, qty, 'head') $$;
comment on function pgmq.read_grouped_head(text, integer, integer) is 'Reads the first message of each group.';
