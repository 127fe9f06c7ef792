-- functions_private.with_leaves(relation) -> the table and, if it is partitioned, the partitions that store its rows
-- Does not use pg_partition_tree, which keeps a lock on each partition: a caller that then locks the table would have taken the locks in
-- the wrong order.
create or replace function functions_private.with_leaves(relation oid) returns setof regclass
language plpgsql stable set search_path = pg_catalog, pg_temp as $$
#variable_conflict use_column
begin
    -- Most tables: quicker than the recursion, and this is called for each of them every second.
    if exists (select from pg_class c where c.oid = relation and c.relkind <> 'p') then
        return next relation::regclass;
        return;
    end if;
    return query
        with recursive tree as (
            select c.oid, c.relkind from pg_class c where c.oid = relation
            union all
            select c.oid, c.relkind
            from tree t join pg_inherits i on i.inhparent = t.oid and not i.inhdetachpending join pg_class c on c.oid = i.inhrelid
                and c.relispartition
        )
        select t.oid::regclass from tree t where t.oid = relation or t.relkind <> 'p';
end
$$;
comment on function functions_private.with_leaves(oid) is 'A table and, if it is partitioned, the partitions that store its rows.';
revoke all on function functions_private.with_leaves(oid) from public;
