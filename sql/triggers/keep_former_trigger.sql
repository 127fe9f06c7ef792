-- functions_private.keep_former_trigger(): trigger that saves the former definition of a changed or dropped trigger, for changes that
-- committed under it and are not read yet. Increments the definition's version.
create or replace function functions_private.keep_former_trigger() returns trigger
language plpgsql set search_path = pg_catalog, pg_temp as $$
begin
    -- By name: columns that later migrations add come after ended_lsn in former_triggers.
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
comment on function functions_private.keep_former_trigger() is
    'Trigger: saves the former definition of a trigger that is changed or dropped.';
revoke all on function functions_private.keep_former_trigger() from public;

create or replace trigger keep_former before update or delete on functions_private.triggers
    for each row execute function functions_private.keep_former_trigger();
