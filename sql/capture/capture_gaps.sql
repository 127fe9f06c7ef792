-- functions_private.capture_gaps() -> tables that fire functions and can be written to without capturing the writer, and by way of which
-- table. A table that statements may name has no trigger functions_capture_context, or the trigger is disabled (ALTER TABLE ... DISABLE
-- TRIGGER), and the rows written that way have no row trigger either. Elsewhere a change without a context was made by a superuser or the
-- owner; here by any user.
create or replace function functions_private.capture_gaps() returns table (relation oid, by_way_of regclass)
language plpgsql stable set search_path = pg_catalog, pg_temp as $$
#variable_conflict use_column
begin
    return query
        with gaps as (
            select r.relation, w, c.relispartition or w = r.relation as is_below
            from (select distinct t.relation from functions_private.triggers t) r
            cross join lateral functions_private.writable_tables(r.relation) w join pg_class c on c.oid = w
            where not exists (select from pg_trigger t where t.tgrelid = w and t.tgname = 'functions_capture_context'
                and t.tgenabled in ('O', 'A')
                                and t.tgfoid = 'functions_private.capture_context()'::regprocedure)
        )
        select g.relation, g.w from gaps g
        where exists (
            select from functions_private.with_leaves(case when g.is_below then g.w::oid else g.relation end) l join pg_class c on c.oid = l
            where c.relkind = 'r' and not exists (
                select from pg_trigger t where t.tgrelid = l and t.tgname = 'functions_capture_row' and t.tgenabled in ('O', 'A')
                  and t.tgfoid = 'functions_private.capture_row()'::regprocedure));
end
$$;
comment on function functions_private.capture_gaps() is 'Tables that fire functions and can be written to without capturing the writer.';
revoke all on function functions_private.capture_gaps() from public;
