-- functions_private.notify_api_keys_changed(): trigger that notifies the sidecars, which keep the API keys in memory, to read them again.
create or replace function functions_private.notify_api_keys_changed() returns trigger
language plpgsql set search_path = pg_catalog, pg_temp as $$
begin
    perform pg_notify('functions_api_keys', '');
    return null;
end
$$;
comment on function functions_private.notify_api_keys_changed() is 'Trigger: notifies the sidecars that API keys have changed.';
revoke all on function functions_private.notify_api_keys_changed() from public;

create or replace trigger notify_changed after insert or delete or truncate
    or update of id, name, hash, scopes, functions, expires_at on functions_private.api_keys
    for each statement execute function functions_private.notify_api_keys_changed();
