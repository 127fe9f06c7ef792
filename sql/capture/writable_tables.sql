-- functions_private.writable_tables(relation) -> the tables by whose name a statement can change rows of a table, parents before children
-- Statement triggers fire only for the table that the statement names. That can be the table itself, each of its partitions at any depth,
-- and its parents. Does not use pg_partition_tree, which keeps a lock on each partition: a caller that then locks the table would have
-- taken the locks in the wrong order.
create or replace function functions_private.writable_tables(relation oid) returns setof regclass
language plpgsql stable set search_path = pg_catalog, pg_temp as $$
#variable_conflict use_column
begin
    -- Most tables: quicker than the recursions, and this is called for each of them every second.
    if exists (select from pg_class c where c.oid = relation)
        and not exists (select from pg_inherits i where i.inhrelid = relation or i.inhparent = relation) then
        return next relation::regclass;
        return;
    end if;
    return query
        with recursive above as (
            select relation as oid, 0 as level
            union all
            select i.inhparent, a.level - 1 from above a join pg_inherits i on i.inhrelid = a.oid and not i.inhdetachpending
        ), below as (
            select relation as oid, 0 as level
            union all
            select c.oid, b.level + 1
            from below b join pg_inherits i on i.inhparent = b.oid and not i.inhdetachpending join pg_class c on c.oid = i.inhrelid
                and c.relispartition
        )
        select t.oid::regclass from (select * from above union select * from below) t join pg_class c on c.oid = t.oid
            group by t.oid order by min(t.level), t.oid;
end
$$;
comment on function functions_private.writable_tables(oid) is
    'The tables by whose name a statement can change rows of a table: itself, its partitions, its parents.';
revoke all on function functions_private.writable_tables(oid) from public;
