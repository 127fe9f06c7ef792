-- functions_private.caller() -> {role, sub, claims, depth, writer} of the user that runs the statement; null for superusers and the
-- installation's owner, for whom functions run as service_role
-- In a function's session only what the sidecar signed counts. Elsewhere the role is the one the session really has (SET ROLE is checked by
-- the server, and a security definer function does not change it), and the claims are those of request.jwt.claims, as PostgREST and
-- Supabase set it: exactly what that session's policies use.
-- Any other user is not a role that functions run as: an application's own login, or a session that reset its role while its statement ran.
-- Functions run as anon for them, the role with the fewest rights, without claims; writer names the session's user, for the errors that
-- follow from that.
create or replace function functions_private.caller() returns jsonb
language plpgsql stable as $$
declare
    context jsonb := functions_private.verified_context();
    actual text := coalesce(nullif(current_setting('role', true), 'none'), session_user);
    is_function boolean;
    claims jsonb;
begin
    if context is not null then
        return jsonb_build_object('role', context ->> 'role', 'sub', context -> 'claims' ->> 'sub', 'claims', context -> 'claims',
            'depth', coalesce((context ->> 'depth')::integer, 0) + 1);
    end if;
    is_function := exists (select from functions_private.roles r where r.login = session_user);
    if not exists (select from functions_private.roles r where r.role = actual) then
        if not is_function and pg_has_role(session_user, current_user, 'member') then
            return null; -- the owner, its members and superusers
        end if;
        return jsonb_build_object('role', 'anon', 'depth', is_function::integer, 'writer', actual);
    end if;
    if is_function then
        return jsonb_build_object('role', actual, 'depth', 1); -- a function's session, whose context is not valid: no claims
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
comment on function functions_private.caller() is
    'The user that runs the statement: {role, sub, claims, depth}, and writer for a login that is no role of functions; null for '
    'superusers and the owner.';
revoke all on function functions_private.caller() from public;
