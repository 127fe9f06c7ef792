-- functions_serving.guard_logins(grace): functions_private.guard_logins with the owner's rights. It ends sessions of the logins of
-- functions only; which logins those are, only the owner can change.
create or replace function functions_serving.guard_logins(grace interval) returns table (login name, finding text)
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
begin
    return query select g.login, g.finding from functions_private.guard_logins(grace) g;
end
$$;
comment on function functions_serving.guard_logins(interval) is
    'Ends sessions of functions'' logins that no sidecar opened or that alter a role, with the owner''s rights.';
revoke all on function functions_serving.guard_logins(interval) from public;
