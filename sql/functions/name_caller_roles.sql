-- functions_private.name_caller_roles() makes functions_private.may_be_caller(login) -> is the login a member of a role that functions run as
-- The function names the roles of the table, so that the planner can put it in the place of its call: every writer of a table that fires
-- functions asks this, and asking the table takes five times as long. By name, not by oid: a dump is restored into clusters with others. A role
-- that is taken out of the table stays named until the next one is added, which errs on the safe side; one that was dropped has no members.
create or replace function functions_private.name_caller_roles() returns void
language plpgsql set search_path = pg_catalog, pg_temp as $$
begin
    execute format('create or replace function functions_private.may_be_caller(login name) returns boolean language sql stable return coalesce(%s, false)',
        (select string_agg(format('pg_has_role(login, to_regrole(%L)::oid, ''member'')', quote_ident(r.role)), ' or ' order by r.role) from functions_private.roles r));
    comment on function functions_private.may_be_caller(name) is 'Is the login a member of a role that functions run as?';
    revoke all on function functions_private.may_be_caller(name) from public;
end
$$;
comment on function functions_private.name_caller_roles() is 'Makes functions_private.may_be_caller(login) of the roles that functions run as.';
revoke all on function functions_private.name_caller_roles() from public;
