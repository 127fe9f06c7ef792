-- functions.uid() -> the caller's id: the claim sub when it is a uuid, else null (functions.claims() ->> 'sub' has it as text).
-- In policies write (select functions.uid()): it is then evaluated once per statement, not once per row.
create or replace function functions.uid() returns uuid
language plpgsql stable parallel restricted security definer set search_path = pg_catalog, functions, pg_temp as $$
declare
    sub text := functions_private.verified_context() -> 'claims' ->> 'sub';
begin
    if sub ~* '^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$' then
        return sub::uuid;
    end if;
    return null;
end
$$;
comment on function functions.uid() is
    'The verified user id (claim sub, a uuid) of the caller of the running function; null outside functions.';
revoke all on function functions.uid() from public;
grant execute on function functions.uid() to public;
