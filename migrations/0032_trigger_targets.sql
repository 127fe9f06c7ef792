-- Triggers that post to a URL, and the names that a trigger's events use.

alter table functions_private.functions add column url_target boolean not null default false;
comment on column functions_private.functions.url_target is 'Made by create_trigger''s option url: the function has the trigger''s name and goes with it.';

alter table functions_private.triggers add column payload text not null default 'event' check (payload in ('event', 'supabase'));
alter table functions_private.former_triggers add column payload text not null default 'event';
comment on column functions_private.triggers.payload is 'The names of the events'' members: event (operation, old, new) or supabase (type, old_record, record).';

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

create or replace view functions.triggers as
select t.name, t.function, t.relation::regclass::text as "table", t.operations, t.columns, t.condition as "when", t.order_by, t.batch_size,
       t.retries, t.role, t.include_old, t.enabled, t.created_at, t.updated_at, t.payload, f.url_target as posts_to_url
from functions_private.triggers t join functions_private.functions f on f.name = t.function;
