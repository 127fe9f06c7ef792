-- functions_private.set_login_password(login, verifier) sets the password of a login of functions. A verifier is what pg_authid stores
-- (RFC 5803): a password itself is refused, because it would be in logs.
create or replace function functions_private.set_login_password(login name, verifier text) returns void
language plpgsql set search_path = pg_catalog, pg_temp set lock_timeout = '2s' as $$
begin
    perform functions_private.require_function_login(login);
    if verifier is null or verifier !~ '^SCRAM-SHA-256\$[0-9]{4,6}:[A-Za-z0-9+/=]+\$[A-Za-z0-9+/=]+:[A-Za-z0-9+/=]+$' then
        raise exception 'The password of login % must be a SCRAM-SHA-256 verifier.', to_json(login)
            using errcode = 'invalid_parameter_value';
    end if;
    execute format('alter role %I password %L', login, verifier);
end
$$;
comment on function functions_private.set_login_password(name, text) is 'Sets the password of a login of functions.';
revoke all on function functions_private.set_login_password(name, text) from public;

create or replace function functions_serving.set_login_password(login name, verifier text) returns void
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
begin
    perform functions_private.set_login_password(login, verifier);
end
$$;
comment on function functions_serving.set_login_password(name, text) is
    'Sets the password of a login of functions, with the owner''s rights. No other role''s.';
revoke all on function functions_serving.set_login_password(name, text) from public;
