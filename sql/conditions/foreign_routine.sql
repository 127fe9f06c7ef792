-- functions_private.foreign_routine(relation, with_expressions, alone) -> why using a table would run others' code with the current user's
-- rights, or null
-- The server evaluates constants in the expressions of a partition key when it loads the key. The planner evaluates those in the
-- expressions of indexes and statistics before it reads a single row (with_expressions). Functions in them run as the current user.
-- Functions of the current user, of superusers, and of members of the current user's role are allowed: they have its rights already.
-- Checks the table and all tables of its root, or only the table (alone).
create or replace function functions_private.foreign_routine(relation regclass, with_expressions boolean,
    alone boolean default false) returns text
language sql stable set search_path = pg_catalog, pg_temp as $$
    with recursive tree (oid) as (
        select case when alone then relation else coalesce(pg_partition_root(relation), relation) end::oid
        union select i.inhrelid from tree t join pg_inherits i on i.inhparent = t.oid where not alone
    ), holders (classid, objid, place) as (
        select 'pg_class'::regclass, t.oid, 'the partition key of ' || t.oid::regclass from tree t
        union all select 'pg_class'::regclass, i.indexrelid, 'the index ' || i.indexrelid::regclass from tree t
            join pg_index i on i.indrelid = t.oid where with_expressions
        union all select 'pg_statistic_ext'::regclass, s.oid, format('the statistics %I', s.stxname) from tree t
            join pg_statistic_ext s on s.stxrelid = t.oid where with_expressions
    )
    select format('It would run function %s of role %s with the rights of %s, because %s uses it.', p.oid::regprocedure,
        quote_ident(r.rolname), quote_ident(current_user), h.place)
    from holders h join pg_depend d on d.classid = h.classid and d.objid = h.objid
    join pg_proc p on p.oid = case d.refclassid when 'pg_proc'::regclass then d.refobjid
                                  when 'pg_operator'::regclass then (select o.oprcode from pg_operator o where o.oid = d.refobjid) end
    join pg_roles r on r.oid = p.proowner
    where not r.rolsuper and not pg_has_role(r.oid, (select m.oid from pg_roles m where m.rolname = current_user), 'member')
    limit 1
$$;
comment on function functions_private.foreign_routine(regclass, boolean, boolean) is
    'Why using a table would run others'' code with the current user''s rights, or null.';
revoke all on function functions_private.foreign_routine(regclass, boolean, boolean) from public;
