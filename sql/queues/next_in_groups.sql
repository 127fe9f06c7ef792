-- functions_private.next_in_groups(queue, moment, batch_size, most) -> messages that are next in their groups, and which part of the claim
-- they belong to: all messages of a group are in one part, and a part has at most batch_size of them.
-- Of a group, at most batch_size messages from its first one on are looked at, and those before the first that is hidden (it is being
-- delivered, or waits for its retry) are given. Call it only while holding the row of the consumer. The groups are those of the messages
-- that became visible first; more messages are looked at, 20,000 at most, until there are enough that are next.
create or replace function functions_private.next_in_groups(queue text, moment timestamptz, batch_size integer, most integer)
returns table (msg_id bigint, vt timestamptz, part bigint)
language plpgsql rows 100 set search_path = pg_catalog, pg_temp set plan_cache_mode = auto set enable_seqscan = on
set enable_bitmapscan = on set enable_nestloop = on set enable_sort = on as $$ -- the caller turns these off
declare
    most_looked_at constant integer := 20000;
    looked_at integer := 0;
    step integer := greatest(50, most / batch_size); -- enough, if every group has a full batch
    source text := pgmq.format_table_name(queue, 'q');
    seen_groups text[] := '{}';
    ids bigint[] := '{}';
    times timestamptz[] := '{}';
    groups text[] := '{}';
    one record;
begin
    loop
        -- For each group, its first messages are one look-up in the index of groups.
        execute format(
            'with visible as materialized (
                 select coalesce(m.headers ->> ''x-pgmq-group'', ''_default_fifo_group'') as name
                 from pgmq.%1$I m where m.vt <= $1 order by m.vt offset $2 limit $3
             ), fresh as materialized (select distinct v.name from visible v where v.name <> all ($4)), heads as (
                 select f.name, h.msg_id, h.vt, bool_and(h.vt <= $1) over (partition by f.name order by h.msg_id) as is_next
                 from fresh f cross join lateral (
                     select e.msg_id, e.vt from pgmq.%1$I e
                     where coalesce(e.headers ->> ''x-pgmq-group'', ''_default_fifo_group'') = f.name order by e.msg_id limit $5) h
             )
             select (select count(*) from visible) as seen, array(select f.name from fresh f) as names, array_agg(h.msg_id) as ids,
                 array_agg(h.vt) as times, array_agg(h.name) as groups
             from heads h where h.is_next', source)
            into one using moment, looked_at, step, seen_groups, batch_size;
        ids := ids || one.ids;
        times := times || one.times;
        groups := groups || one.groups;
        seen_groups := seen_groups || one.names;
        looked_at := looked_at + step;
        exit when one.seen < step or cardinality(ids) >= most or looked_at >= most_looked_at;
        step := least(step * 3, most_looked_at - looked_at);
    end loop;
    -- A part is filled with whole groups.
    return query
        with members as (
            select x.id, x.visible_at, x.name, min(x.id) over (partition by x.name) as head
            from unnest(ids, times, groups) x (id, visible_at, name)
        ), sizes as (select m.name, m.head, count(*) as size from members m group by m.name, m.head
        ), parts as (
            select s.name, coalesce(sum(s.size) over (order by s.head rows between unbounded preceding and 1 preceding), 0)::bigint
                / batch_size as part from sizes s
        ), placed as (
            select m.id, m.visible_at, p.part, row_number() over (partition by p.part order by m.head, m.id) as place_in_part
            from members m join parts p on p.name = m.name
        )
        select l.id, l.visible_at, l.part from placed l where l.place_in_part <= batch_size and l.part < most / batch_size;
end
$$;
comment on function functions_private.next_in_groups(text, timestamptz, integer, integer) is
    'The messages that are next in their groups, with the batch that each belongs to.';
revoke all on function functions_private.next_in_groups(text, timestamptz, integer, integer) from public;
