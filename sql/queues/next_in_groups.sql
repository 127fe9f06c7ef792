-- functions_private.next_in_groups(queue, moment, batch_size, most) -> messages that are next in their groups, and which part of the claim
-- they belong to: all messages of a group are in one part, and a part has at most batch_size of them.
-- A group whose earlier message is hidden (it is being delivered, or waits for its retry) gives nothing after it. Call it only while
-- holding the row of the consumer. Looks at the oldest visible messages, a thousand at a time, until enough are found.
create or replace function functions_private.next_in_groups(queue text, moment timestamptz, batch_size integer, most integer)
returns table (msg_id bigint, vt timestamptz, part bigint)
language plpgsql rows 100 set search_path = pg_catalog, pg_temp as $$
declare
    looked_at constant integer := 1000;
    source text := pgmq.format_table_name(queue, 'q');
    after bigint := -9223372036854775808;
    ids bigint[] := '{}';
    one record;
begin
    for n in 1 .. 20 loop
        execute format(
            'with visible as materialized (
                 select m.msg_id, coalesce(m.headers ->> ''x-pgmq-group'', ''_default_fifo_group'') as name
                 from pgmq.%1$I m where m.vt <= $1 and m.msg_id > $2 order by m.msg_id limit $3
             ), groups as materialized (select v.name, max(v.msg_id) as last from visible v group by v.name), barriers as materialized (
                 select g.name, (select min(e.msg_id) from pgmq.%1$I e
                     where coalesce(e.headers ->> ''x-pgmq-group'', ''_default_fifo_group'') = g.name and e.msg_id <= g.last
                       and e.vt > $1) as barrier
                 from groups g
             )
             select count(*) as seen, max(v.msg_id) as last,
                 array_agg(v.msg_id order by v.msg_id) filter (where b.barrier is null or v.msg_id < b.barrier) as ids
             from visible v join barriers b on b.name = v.name', source)
            into one using moment, after, looked_at;
        ids := ids || one.ids;
        after := one.last;
        exit when one.seen < looked_at or cardinality(ids) >= most;
    end loop;
    -- A part is filled with whole groups; of a group that is longer than a batch, only the first messages are taken.
    return query execute format(
        'with members as (
             select m.msg_id, m.vt, x.name, row_number() over (partition by x.name order by m.msg_id) as place,
                    min(m.msg_id) over (partition by x.name) as head
             from pgmq.%1$I m cross join lateral (select coalesce(m.headers ->> ''x-pgmq-group'', ''_default_fifo_group'') as name) x
             where m.msg_id = any ($1) and m.vt <= $2
         ), sizes as (select f.name, f.head, count(*) as size from members f where f.place <= $3 group by f.name, f.head
         ), parts as (
             select s.name, coalesce(sum(s.size) over (order by s.head rows between unbounded preceding and 1 preceding), 0)::bigint
                 / $3 as part from sizes s
         ), placed as (
             select f.msg_id, f.vt, p.part, row_number() over (partition by p.part order by f.head, f.msg_id) as place_in_part
             from members f join parts p on p.name = f.name where f.place <= $3
         )
         select l.msg_id, l.vt, l.part from placed l where l.place_in_part <= $3 and l.part < $4 / $3', source)
        using ids, moment, batch_size, most;
end
$$;
comment on function functions_private.next_in_groups(text, timestamptz, integer, integer) is
    'The messages that are next in their groups, with the batch that each belongs to.';
revoke all on function functions_private.next_in_groups(text, timestamptz, integer, integer) from public;
