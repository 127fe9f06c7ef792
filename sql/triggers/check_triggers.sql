-- functions.check_triggers() -> a row for each problem that keeps a trigger from working: its table is gone or was replaced, a column of
-- its options is gone, writers are not captured, changes are not written to the WAL as planned, its function can't be called, its role is
-- missing or lacks rights. No row means that every trigger works. Disabled triggers are left out.
create or replace function functions.check_triggers() returns table (trigger text, problem text)
language sql stable set search_path = pg_catalog, functions, pg_temp as $$
    with active as (
        select t.id, t.name, t.function, t.relation, t.role from functions_private.triggers t where t.enabled
    )
    select t.name, p.problem
    from active t join functions_private.trigger_problems() p on p.id = t.id and p.problem is not null
    union all
    select t.name, case
            when not f.enabled then format('Function %s is disabled; its events wait: select functions.enable(%L);', f.name, f.name)
            else format('No version of function %s is ready; its events wait: select version, status, error from functions.versions where function = %L;', f.name, f.name) end
    from active t join functions_private.functions f on f.name = t.function
    where not f.enabled or f.active_version is null
    union all
    select t.name, case
            when to_regrole(quote_ident(t.role)) is null then format('The role %I does not exist.', t.role)
            when not exists (select from functions_private.roles r where r.role = t.role) then
                format('Functions may not run as role %I: select functions.grant_role(%L);', t.role, t.role)
            else format('The role %I may not use the schema of the table: grant usage on schema %I to %I;', t.role, n.nspname, t.role) end
    from active t left join pg_class c on c.oid = t.relation left join pg_namespace n on n.oid = c.relnamespace
    where t.role is not null
      and (to_regrole(quote_ident(t.role)) is null or not exists (select from functions_private.roles r where r.role = t.role)
           or n.oid is not null and not has_schema_privilege(t.role, n.oid, 'usage'))
    order by 1, 2
$$;
comment on function functions.check_triggers() is
    'The problems that keep triggers from working, one row each, with the remedy; no rows when all is well.';
revoke all on function functions.check_triggers() from public;
