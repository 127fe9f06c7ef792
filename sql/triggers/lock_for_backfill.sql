-- functions_private.lock_for_backfill(relation) -> the name by which to read the table's rows
-- Raises where reading would run others' code with the sidecar's rights; see functions_private.foreign_routine. Where another role owns the
-- table or one of its children, the lock keeps that role from creating such an index, and from replacing the table with a view, until the
-- transaction ends.
create or replace function functions_private.lock_for_backfill(relation regclass) returns text
language plpgsql set search_path = pg_catalog, pg_temp as $$
declare
    reason text;
begin
    if exists (
        with recursive t (oid) as (select relation::oid union select i.inhrelid from t join pg_inherits i on i.inhparent = t.oid)
        select from t join pg_class c on c.oid = t.oid join pg_roles r on r.oid = c.relowner
        where not r.rolsuper and not pg_has_role(r.oid, (select m.oid from pg_roles m where m.rolname = current_user), 'member'))
    then
        execute format('lock table %s in share update exclusive mode', relation);
    end if;
    reason := functions_private.foreign_routine(relation, true);
    if reason is not null then
        raise exception '% is not read. %', relation, reason using errcode = 'insufficient_privilege',
            hint = format('Make %I the function''s owner, or drop what uses it until the backfill has ended.', current_user);
    end if;
    return relation::text;
end
$$;
comment on function functions_private.lock_for_backfill(regclass) is
    'The name by which to read a table''s rows; raises where reading would run others'' code with the sidecar''s rights.';
revoke all on function functions_private.lock_for_backfill(regclass) from public;
