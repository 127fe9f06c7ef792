-- functions_private.caller() -> {role, sub, claims, depth} of whoever runs the statement, or null when no function can run as them.
-- In a function's session only what the sidecar signed counts. Elsewhere the role is the one the session really has (SET ROLE is checked by
-- the server, and a security definer function does not change it), and the claims are those of request.jwt.claims, as PostgREST and
-- Supabase set it: exactly what policies of that session go by.
-- A login that is a member of a role of functions may have laid it down under way, to be nobody: it is who it is now, and functions, which may
-- not run as that, fail and say so. Superusers and the installation's owner, who are members of all roles, are nobody.
create or replace function functions_private.caller() returns jsonb
language plpgsql stable as $$
declare
    context jsonb := functions_private.verified_context();
    actual text := coalesce(nullif(current_setting('role', true), 'none'), session_user);
    claims jsonb;
begin
    if context is not null then
        return jsonb_build_object('role', context ->> 'role', 'sub', context -> 'claims' ->> 'sub', 'claims', context -> 'claims',
            'depth', coalesce((context ->> 'depth')::integer, 0) + 1);
    end if;
    if exists (select from functions_private.roles r where r.login = session_user) then
        return jsonb_build_object('role', actual, 'depth', 1); -- a function's session, whose context is not valid: no claims
    end if;
    if not exists (select from functions_private.roles r where r.role = actual) then
        if functions_private.may_be_caller(session_user) and session_user <> current_user
           and not (select r.rolsuper from pg_roles r where r.rolname = session_user) then
            return jsonb_build_object('role', actual, 'depth', 0);
        end if;
        return null;
    end if;
    begin
        claims := nullif(current_setting('request.jwt.claims', true), '')::jsonb;
    exception when invalid_text_representation or untranslatable_character then
        claims := null; -- not a token's claims
    end;
    if jsonb_typeof(claims) is distinct from 'object' then
        claims := null;
    end if;
    return jsonb_build_object('role', actual, 'sub', claims ->> 'sub', 'claims', claims, 'depth', 0);
end
$$;
comment on function functions_private.caller() is 'Who runs the statement: {role, sub, claims, depth}; null when no function can run as them.';
revoke all on function functions_private.caller() from public;
