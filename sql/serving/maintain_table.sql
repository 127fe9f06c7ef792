-- functions_serving.capture_table(name), functions_serving.apply_change_plan(name): what the sidecar does with the owner's rights to a
-- table that fires functions and was changed since: the triggers that capture its writers, and how its updates and deletes get into the
-- WAL. Only tables of the application that the owner owns. Nothing happens if no table has the name.
create or replace function functions_serving.capture_table(name text) returns void
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
declare
    relation regclass := functions_private.application_table(name);
begin
    if relation is not null then
        perform functions_private.require_application_table(relation);
        perform functions_private.capture_table(relation);
    end if;
end
$$;
comment on function functions_serving.capture_table(text) is
    'Creates the triggers that capture the writers of one of the owner''s tables, with the owner''s rights.';
revoke all on function functions_serving.capture_table(text) from public;

create or replace function functions_serving.apply_change_plan(name text) returns void
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
declare
    relation regclass := functions_private.application_table(name);
begin
    if relation is not null then
        perform functions_private.require_application_table(relation);
        perform functions_private.apply_change_plan(relation);
    end if;
end
$$;
comment on function functions_serving.apply_change_plan(text) is
    'Has the updates and deletes of one of the owner''s tables written to the WAL as planned, with the owner''s rights.';
revoke all on function functions_serving.apply_change_plan(text) from public;
