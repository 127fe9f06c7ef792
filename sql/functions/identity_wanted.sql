-- functions_private.identity_wanted(relation, with_old) -> the replica identity with which a table's updates and deletes can be published so that none of
-- them fails, whatever the table becomes: 'full', 'key' (the one that it has), or 'none': they must not be published, and a row trigger carries them.
-- Whole rows are safe where the table may lose its key. They are not where
--   - it has a virtual generated column (PostgreSQL 18 refuses the combination), or may be given one with no event trigger that would see to it;
--   - another publication has it with a list of columns, or, on 18, without its stored generated columns.
-- A key is safe as long as the event trigger sees it go.
create or replace function functions_private.identity_wanted(relation oid, with_old boolean) returns text
language sql stable set search_path = pg_catalog, pg_temp as $$
    select case
        when not with_old and g.guarded and functions_private.identity_of(relation) = 'key' then 'key'
        when current_setting('server_version_num')::integer >= 180000 and not g.guarded
          or exists (select from pg_attribute a where a.attrelid = relation and a.attnum > 0 and not a.attisdropped and a.attgenerated = 'v')
          or functions_private.refuses_whole_rows(relation) then 'none'
        else 'full' end
    from functions_private.has_guard() as g (guarded)
$$;
comment on function functions_private.identity_wanted(oid, boolean) is 'The replica identity with which no update or delete of a published table fails: full, key or none.';
revoke all on function functions_private.identity_wanted(oid, boolean) from public;
