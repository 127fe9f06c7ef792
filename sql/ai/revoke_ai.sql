-- functions.revoke_ai(role): no longer lets tokens of a role use models over HTTP. Raises if they may not, or if the role is service_role.
create or replace function functions.revoke_ai(role name) returns void
language plpgsql set search_path = pg_catalog, functions, pg_temp as $$
begin
    if role = 'service_role' then
        raise exception 'service_role may always use models' using errcode = 'invalid_parameter_value',
            hint = 'Its tokens may do everything; do not issue them.';
    end if;
    delete from functions_private.ai_grants g where g.role = revoke_ai.role;
    if not found then
        raise exception 'The role % was not granted models.', to_json(role) using errcode = 'undefined_object',
            hint = 'select role from functions.ai_grants;';
    end if;
    perform pg_notify('functions_ai_grants', revoke_ai.role);
end
$$;
comment on function functions.revoke_ai(name) is 'No longer lets tokens of a role use models over HTTP.';
revoke all on function functions.revoke_ai(name) from public;
