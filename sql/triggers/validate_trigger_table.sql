-- functions_private.validate_trigger_table(relation) raises when the WAL has no row changes of a relation, or when the caller does not own
-- it or a table through which its rows can be written.
create or replace function functions_private.validate_trigger_table(relation regclass) returns void
language plpgsql stable set search_path = pg_catalog, pg_temp as $$
declare
    class pg_class;
    kind text;
    reason text;
    above pg_class;
begin
    if relation is null then
        raise exception 'The table is null.' using errcode = 'invalid_parameter_value', hint = 'Name a table: ''public.orders''.';
    end if;
    select c.* into class from pg_class c where c.oid = relation;
    kind := case class.relkind when 'v' then 'a view' when 'm' then 'a materialized view' when 'f' then 'a foreign table'
        when 'S' then 'a sequence' when 'i' then 'an index' when 'I' then 'an index' when 'c' then 'a composite type' when 't'
            then 'a TOAST table' end;
    if kind is not null then
        raise exception '% is %: the WAL carries no changes of its rows.', relation, kind using errcode = 'wrong_object_type',
            hint = 'Create the trigger on the table in which the rows are stored.';
    elsif class.relpersistence = 't' then
        raise exception '% is a temporary table: its changes are not written to the WAL.', relation using errcode = 'wrong_object_type',
            hint = 'Create the trigger on a permanent table. One of the same name needs its schema in front: public.orders.';
    elsif class.relpersistence = 'u' then
        raise exception '% is UNLOGGED: its changes are not written to the WAL.', relation using errcode = 'wrong_object_type',
            hint = format('alter table %s set logged;', relation);
    elsif exists (select from pg_namespace n where n.oid = class.relnamespace
        and n.nspname in ('pg_catalog', 'information_schema', 'pg_toast', 'functions_private'))
    then
        raise exception '% is a system table.', relation
            using errcode = 'wrong_object_type', hint = 'Create the trigger on a table of your own.';
    elsif class.relispartition then
        raise exception '% is a partition: changes are published under the root of its table.', relation
            using errcode = 'wrong_object_type',
            hint = format('Create the trigger on %s.', pg_partition_root(relation));
    elsif not pg_has_role(class.relowner, 'usage') then
        raise exception 'Role % does not own %.', current_user, relation using errcode = 'insufficient_privilege',
            hint = format('Only a table''s owner may publish it: alter table %s owner to %I; or grant %I to %I;', relation, current_user,
                class.relowner::regrole, current_user);
    end if;
    reason := functions_private.foreign_routine(relation, false);
    if reason is not null then
        raise exception '% can''t fire functions. %', relation, reason using errcode = 'insufficient_privilege',
            hint = format('Make %I the function''s owner, or a role that is a member of it.', current_user);
    end if;
    -- Statements on these tables can change its rows, so their writers must be captured.
    select c.* into above from functions_private.writable_tables(relation) w join pg_class c on c.oid = w
    where c.oid <> relation and not pg_has_role(c.relowner, 'usage') limit 1;
    if found then
        raise exception 'Rows of % can be written by way of %, which role % does not own.', relation, above.oid::regclass, current_user
            using errcode = 'insufficient_privilege', hint = format('alter table %s owner to %I; or grant %I to %I;',
                above.oid::regclass, current_user, above.relowner::regrole, current_user);
    end if;
end
$$;
comment on function functions_private.validate_trigger_table(regclass) is
    'Raises when the WAL has no row changes of a relation, or the caller does not own it.';
revoke all on function functions_private.validate_trigger_table(regclass) from public;
