-- functions.backfill(trigger, where_clause) -> the backfill's id
-- Fires a trigger for the existing rows (that meet the condition), as INSERTs with "backfill": true. A sidecar does it after the commit;
-- functions.backfills shows its progress. A row that changes meanwhile may fire twice: once for the backfill, once for the change.
-- The condition is evaluated as "when" is: by a login without rights. It can't have subqueries.
create or replace function functions.backfill(trigger text, where_clause text default null) returns bigint
language plpgsql set search_path = pg_catalog, functions, pg_temp as $$
declare
    wanted functions_private.triggers := functions_private.require_trigger(backfill.trigger);
    new_id bigint;
begin
    if not exists (select from pg_class c where c.oid = wanted.relation) then
        raise exception 'The table of trigger % was dropped.', to_json(wanted.name) using errcode = 'undefined_table',
            hint = 'Create the trigger again on the table that took its place: select reason from functions.triggers;';
    end if;
    if where_clause is not null then
        perform functions_private.validate_condition('where_clause', where_clause, wanted.relation,
            'created_at > now() - interval ''1 day''');
    end if;
    insert into functions_private.backfills (trigger_id, where_clause) values (wanted.id, backfill.where_clause) returning id into new_id;
    perform pg_notify('functions_events', 'backfills');
    return new_id;
end
$$;
comment on function functions.backfill(text, text) is
    'Fires a trigger for existing rows (that meet the condition); returns the backfill id. Progress: functions.backfills.';
revoke all on function functions.backfill(text, text) from public;
