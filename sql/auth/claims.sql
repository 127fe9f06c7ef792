-- functions.claims() -> every claim of the caller's token, verified; null outside functions and for callers without a token.
create or replace function functions.claims() returns jsonb
language plpgsql stable parallel restricted security definer set search_path = pg_catalog, functions, pg_temp as $$
begin
    return nullif(functions_private.verified_context() -> 'claims', 'null');
end
$$;
comment on function functions.claims() is
    'The verified claims of the token with which the running function was called; null outside functions.';
revoke all on function functions.claims() from public;
grant execute on function functions.claims() to public;
