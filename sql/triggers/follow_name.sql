-- functions_private.follow_name(id) -> the table to which a trigger with the option follow "name" is now bound; null when it is bound to it
-- already, or no table has the name. Changes that were written to that table before do not fire the trigger.
create or replace function functions_private.follow_name(id integer) returns regclass
language plpgsql set search_path = pg_catalog, pg_temp as $$
declare
    former functions_private.triggers;
    target regclass;
begin
    lock table functions_private.triggers in share row exclusive mode;
    select t.* into former from functions_private.triggers t where t.id = follow_name.id;
    select c.oid into target from functions_private.bindings b join pg_namespace n on n.nspname = b.schema_name
    join pg_class c on c.relnamespace = n.oid and c.relname = b.table_name and c.relkind in ('r', 'p')
    where b.trigger_id = follow_name.id and b.follow = 'name' and c.oid <> former.relation;
    if target is null then
        return null;
    end if;
    perform functions_private.validate_trigger_table(target);
    if former.condition is not null then
        perform functions_private.validate_condition('when', former.condition, target, 'new.status = ''paid''');
    end if;
    perform functions_private.lock_for_trigger(target, former.operations, former.include_old);
    -- Column names in the options are resolved in the new table as it is now.
    update functions_private.triggers t set relation = target, table_columns = (
        select array_agg(case when not a.attisdropped and functions_private.is_in_wal(a.attgenerated) then a.attname::text end
            order by a.attnum)
        from pg_attribute a where a.attrelid = target and a.attnum > 0)
    where t.id = follow_name.id;
    perform functions_private.publish_table(target);
    perform functions_private.unpublish_table(former.relation);
    perform pg_notify('functions_events', 'triggers');
    return target;
end
$$;
comment on function functions_private.follow_name(integer) is
    'Binds a trigger that follows a name to the table that currently has it; returns the table, or null without a change.';
revoke all on function functions_private.follow_name(integer) from public;
