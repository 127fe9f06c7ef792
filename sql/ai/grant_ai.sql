-- functions.grant_ai(role): lets tokens of a role use models over HTTP (POST /functions/v1/ai/chat/completions and the like). service_role
-- always may. Functions need no grant: their authors decide what they ask. functions.limit_ai limits how much.
create or replace function functions.grant_ai(role name) returns void
language plpgsql set search_path = pg_catalog, functions, pg_temp as $$
begin
    if not exists (select from pg_roles r where r.rolname = grant_ai.role) then
        raise exception 'There is no role %.', to_json(role) using errcode = 'undefined_object';
    end if;
    insert into functions_private.ai_grants (role) values (grant_ai.role) on conflict do nothing;
    perform pg_notify('functions_ai_grants', grant_ai.role);
end
$$;
comment on function functions.grant_ai(name) is 'Lets tokens of a role use models over HTTP.';
revoke all on function functions.grant_ai(name) from public;
