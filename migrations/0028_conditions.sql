-- Conditions of triggers (the option "when") and of backfills are evaluated over a login that has no rights, and they follow columns, not names.

-- Roles belong to the whole cluster: another database's installation may have made this one, or be making it now.
do $$
begin
    begin
        if not exists (select from pg_roles where rolname = 'pgfn_conditions') then
            create role pgfn_conditions login noinherit nosuperuser nocreatedb nocreaterole noreplication nobypassrls;
        end if;
    exception when duplicate_object or unique_violation then null;
    end;
    if not has_database_privilege('pgfn_conditions', current_database(), 'connect') then
        execute format('grant connect on database %I to pgfn_conditions', current_database());
    end if;
end
$$;

-- The names that the table's columns had when the trigger was made: element n is the column with pg_attribute.attnum n, null for one that
-- the WAL does not carry (dropped, generated). The names in columns, order_by and condition are these.
alter table functions_private.triggers add column table_columns text[];
alter table functions_private.former_triggers add column table_columns text[];

-- By name: columns that are added later stand behind ended_lsn in one of the two tables.
create or replace function functions_private.keep_former_trigger() returns trigger
language plpgsql set search_path = pg_catalog, pg_temp as $$
begin
    insert into functions_private.former_triggers
    select f.* from jsonb_populate_record(null::functions_private.former_triggers,
        to_jsonb(old) || jsonb_build_object('ended_lsn', pg_current_wal_insert_lsn())) f;
    if tg_op = 'DELETE' then
        return old;
    end if;
    new.version := old.version + 1;
    new.since_lsn := pg_current_wal_insert_lsn();
    new.updated_at := now();
    return new;
end
$$;

alter table functions_private.triggers disable trigger keep_former;
update functions_private.triggers t set table_columns = (
    select array_agg(case when not a.attisdropped and a.attgenerated = '' then a.attname::text end order by a.attnum)
    from pg_attribute a where a.attrelid = t.relation and a.attnum > 0);
update functions_private.former_triggers t set table_columns = (
    select array_agg(case when not a.attisdropped and a.attgenerated = '' then a.attname::text end order by a.attnum)
    from pg_attribute a where a.attrelid = t.relation and a.attnum > 0);
alter table functions_private.triggers enable trigger keep_former;

-- A dead letter whose condition failed keeps the rows as the condition was asked about them; functions.redrive has it asked again.
alter table functions_private.dead_letters add column condition_rows json;
alter table functions_private.dead_letters add column asked_again boolean not null default false;
create index dead_letters_asked_again on functions_private.dead_letters (died_at) where asked_again;

-- Conditions were functions that ran with the rights of the sidecar's own login.
do $$
declare
    condition regprocedure;
begin
    for condition in select p.oid from pg_proc p where p.pronamespace = 'functions_private'::regnamespace and p.proname ~ '^condition_\d+_\d+$' loop
        execute format('drop function %s', condition);
    end loop;
end
$$;
drop function if exists functions_private.create_condition(integer, integer, regclass, text);
delete from functions_private.routines where name = 'create_condition.sql';
