-- functions.retry_version(name, version)
-- Forgets that sidecars died while they compiled or loaded the version (the latest when null), and tries it again. For a version that was
-- given up although it was not the cause, for example because the machine ran out of memory. A version that waits because its code can't
-- be read is tried at once.
create or replace function functions.retry_version(name text, version integer default null) returns void
language plpgsql set search_path = pg_catalog, functions, pg_temp as $$
declare
    target record;
begin
    perform functions_private.require_function(retry_version.name);
    select v.id, v.version, v.status into target from functions_private.versions v
    where v.function = retry_version.name and (retry_version.version is null or v.version = retry_version.version)
    order by v.version desc limit 1;
    if not found then
        raise exception 'Function % has no version %.', to_json(name), version using errcode = 'undefined_object';
    end if;
    delete from functions_private.attempts a where a.version = target.id;
    update functions_private.versions v set status = 'pending', error = null, claimed_by = null, claimed_until = null
    where v.id = target.id and (v.status = 'failed' or v.status = 'pending' and v.claimed_by is null);
    perform pg_notify('functions_changed', retry_version.name);
end
$$;
comment on function functions.retry_version(text, integer) is
    'Compiles or loads a version again (the latest by default) that was given up because sidecars died on it.';
revoke all on function functions.retry_version(text, integer) from public;
