-- functions_private.change_plans() -> how the updates and deletes of each table that fires functions are written to the WAL, and how they
-- should be. Includes tables that are still published. A partitioned table has a row of its own, for what its partitions inherit, and one
-- for each partition that stores rows.
--   wanted      'full' or 'key': published, with that replica identity; 'none': carried by the trigger functions_capture_change; null:
-- neither
--   published   whether it is in the publication functions_events_changes
--   carried     whether the trigger exists and is enabled
--   is_applied  whether the state is the wanted one; functions_private.apply_change_plan(relation) brings it about
create or replace function functions_private.change_plans()
returns table (relation regclass, kind "char", wanted text, has text, published boolean, carried boolean, is_applied boolean)
language plpgsql stable set search_path = pg_catalog, pg_temp as $$
#variable_conflict use_column
begin
    return query
        with wishes as (
            select t.relation as root, bool_or(t.include_old) as with_old from functions_private.triggers t
            where t.operations && array['UPDATE', 'DELETE'] group by t.relation
        ), in_publication as (
            select r.prrelid as oid from pg_publication_rel r join pg_publication p on p.oid = r.prpubid
            where p.pubname = 'functions_events_changes' and r.prrelid <> 'functions_private.triggers'::regclass
        ), with_trigger as (
            select g.tgrelid as oid from pg_trigger g where g.tgname in ('functions_capture_change', 'functions_capture_own_change')
                and g.tgparentid = 0
        ), leaves as materialized (
            select l::oid as oid, bool_or(w.with_old) as with_old
            from wishes w cross join functions_private.with_leaves(w.root) l group by l
        ), tables as (
            select l.oid, l.with_old, true as is_wished from leaves l
            union all
            select p.oid, false, false from (select i.oid from in_publication i union select g.oid from with_trigger g) p
            where p.oid not in (select l.oid from leaves l)
        ), plans as (
            select t.oid, c.relkind, t.with_old, t.is_wished,
                   case when not t.is_wished or c.relkind = 'f' then null when c.relkind = 'p' then 'full'
                       else functions_private.identity_wanted(t.oid, t.with_old) end as wanted,
                   functions_private.identity_of(t.oid) as has,
                   t.oid in (select p.oid from in_publication p) as published,
                   (select bool_or(g.tgenabled <> 'D') from pg_trigger g
                    where g.tgrelid = t.oid and g.tgname in ('functions_capture_change', 'functions_capture_own_change')) as carried
            from tables t join pg_class c on c.oid = t.oid
        )
        select p.oid::regclass, p.relkind, p.wanted, p.has, p.published, coalesce(p.carried, false),
            case when not p.is_wished or p.wanted is null then not p.published and p.oid not in (select g.oid from with_trigger g)
                 when p.relkind = 'p' then p.carried is not null and (p.has = 'full' or not p.with_old)
                 when p.wanted = 'none' then not p.published and coalesce(p.carried, false)
                     and not (p.has = 'full' and functions_private.refuses_whole_rows(p.oid))
                 else p.published and p.has = p.wanted and not coalesce(p.carried, false) end
        from plans p;
end
$$;
comment on function functions_private.change_plans() is
    'How updates and deletes of tables that fire functions are written to the WAL, and how they should be.';
revoke all on function functions_private.change_plans() from public;
