-- functions_private.writable_tables(relation) -> the tables whose name in a statement can change rows of a table, those above before those below
-- Statement triggers fire for the table that the statement names, and for no other: that is the table itself, every partition of it, at
-- whatever depth, and what it inherits from.
-- Without pg_partition_tree, which keeps a lock on each partition: whoever goes on to lock the table would have taken them in the wrong order.
create or replace function functions_private.writable_tables(relation oid) returns setof regclass
language sql stable set search_path = pg_catalog, pg_temp as $$
    with recursive above as (
        select relation as oid, 0 as level
        union all
        select i.inhparent, a.level - 1 from above a join pg_inherits i on i.inhrelid = a.oid and not i.inhdetachpending
    ), below as (
        select relation as oid, 0 as level
        union all
        select c.oid, b.level + 1
        from below b join pg_inherits i on i.inhparent = b.oid and not i.inhdetachpending join pg_class c on c.oid = i.inhrelid and c.relispartition
    )
    select t.oid::regclass from (select * from above union select * from below) t join pg_class c on c.oid = t.oid group by t.oid order by min(t.level), t.oid
$$;
comment on function functions_private.writable_tables(oid) is 'The tables whose name in a statement can change rows of a table: itself, its partitions, what it inherits from.';
revoke all on function functions_private.writable_tables(oid) from public;
