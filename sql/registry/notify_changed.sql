-- functions_private.notify_changed(): trigger that notifies the sidecars of changed definitions on the channel functions_changed; the
-- payload is the function's name.
create or replace function functions_private.notify_changed() returns trigger
language plpgsql set search_path = pg_catalog, pg_temp as $$
declare
    changed jsonb := to_jsonb(case when tg_op = 'DELETE' then old else new end);
begin
    perform pg_notify('functions_changed', coalesce(changed ->> 'function', changed ->> 'name'));
    return null;
end
$$;
comment on function functions_private.notify_changed() is 'Trigger: notifies the sidecars that a function''s definition has changed.';
revoke all on function functions_private.notify_changed() from public;

create or replace trigger notify_changed after insert or update or delete on functions_private.functions
    for each row execute function functions_private.notify_changed();
create or replace trigger notify_changed after insert or update or delete on functions_private.environment
    for each row execute function functions_private.notify_changed();
create or replace trigger notify_changed after insert or update or delete on functions_private.secrets
    for each row execute function functions_private.notify_changed();
create or replace trigger notify_changed after insert or update or delete on functions_private.hosts
    for each row execute function functions_private.notify_changed();
