-- functions_private.require_application_table(relation) raises unless a relation is a permanent table of the application that the current
-- user owns. Routines of functions_serving call it, because the rows that name the table may be written by a login that serves.
create or replace function functions_private.require_application_table(relation regclass) returns void
language plpgsql stable set search_path = pg_catalog, pg_temp as $$
begin
    if not exists (
        select from pg_class c join pg_namespace n on n.oid = c.relnamespace
        where c.oid = relation and c.relkind in ('r', 'p', 'f') and c.relpersistence <> 't' and pg_has_role(c.relowner, 'usage')
          and n.nspname not in ('pg_catalog', 'information_schema', 'pg_toast', 'functions', 'functions_private', 'functions_serving'))
    then
        raise exception '% is not a table of the application that role % owns.', relation, current_user
            using errcode = 'insufficient_privilege',
                  hint = format('Only the owner''s tables fire functions: alter table %s owner to %I;', relation, current_user);
    end if;
end
$$;
comment on function functions_private.require_application_table(regclass) is
    'Raises unless a relation is a table of the application that the current user owns.';
revoke all on function functions_private.require_application_table(regclass) from public;
