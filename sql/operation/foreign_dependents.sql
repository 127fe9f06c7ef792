-- functions_private.foreign_dependents() -> descriptions of the application's objects that depend on the installation's schemas: policies,
-- defaults, views and functions that use functions.uid() and the like. Call it after the installation's triggers on the application's
-- tables are dropped.
create or replace function functions_private.foreign_dependents() returns setof text
language sql stable set search_path = pg_catalog, pg_temp as $$
    with schemas as (
        select n.oid, n.nspname from pg_namespace n
        where n.nspname in ('functions', 'functions_private', 'functions_serving', 'functions_vectors')
           or n.nspname = 'auth' and obj_description(n.oid, 'pg_namespace') like 'Functions.PgSidecar:%'
    ), ours as (
        select 'pg_proc'::regclass as class, p.oid from pg_proc p join schemas s on s.oid = p.pronamespace
        union all select 'pg_class'::regclass, c.oid from pg_class c join schemas s on s.oid = c.relnamespace
        union all select 'pg_type'::regclass, t.oid from pg_type t join schemas s on s.oid = t.typnamespace
    ), dependents as (
        select distinct d.classid, d.objid, d.objsubid from pg_depend d join ours o on o.class = d.refclassid and o.oid = d.refobjid
            where d.deptype in ('n', 'a')
    )
    select pg_describe_object(d.classid, d.objid, d.objsubid) from dependents d
    cross join lateral pg_identify_object_as_address(d.classid, d.objid, d.objsubid) a
    where a.object_names[1] not in (select s.nspname from schemas s) and a.object_names[1] <> 'pg_toast'
    order by 1
$$;
comment on function functions_private.foreign_dependents() is
    'Objects of the application that use the installation''s schemas and would be dropped with them.';
revoke all on function functions_private.foreign_dependents() from public;
