-- functions.rollback(name, version) -> the version that is now active
-- Makes an earlier version (the ready one before the active one when null) the active one. Newer versions are set aside: one that is still
-- compiling will not take over. A rollback to one of them by number, or the next deploy, undoes that.
create or replace function functions.rollback(name text, version integer default null) returns integer
language plpgsql set search_path = pg_catalog, functions, pg_temp as $$
declare
    target integer := version;
    found_status text;
begin
    perform functions_private.require_function(rollback.name);
    if target is null then
        select max(v.version) into target
        from functions_private.versions v join functions_private.functions f on f.name = v.function
        where v.function = rollback.name and v.status = 'ready' and v.version < f.active_version;
        if target is null then
            raise exception 'Function % has no earlier version to roll back to.', to_json(name) using errcode = 'undefined_object';
        end if;
    end if;

    select v.status into found_status from functions_private.versions v where v.function = rollback.name and v.version = target;
    if found_status is null then
        raise exception 'Function % has no version %.', to_json(name), target using errcode = 'undefined_object';
    elsif found_status <> 'ready' then
        raise exception 'Version % of % is %, not ready.', target, name, found_status using errcode = 'object_not_in_prerequisite_state';
    end if;

    update functions_private.versions v set rolled_back = v.version > target
    where v.function = rollback.name and v.rolled_back is distinct from (v.version > target);
    update functions_private.functions f set active_version = target, updated_at = now() where f.name = rollback.name;
    return target;
end
$$;
comment on function functions.rollback(text, integer) is
    'Activates an earlier version (by default the one before the active one); returns its number.';
revoke all on function functions.rollback(text, integer) from public;
