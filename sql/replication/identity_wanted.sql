-- functions_private.identity_wanted(relation, with_old) -> the replica identity with which a table's updates and deletes can be published
-- so that none of them fails, however the table changes: 'full', 'key' (the existing one), or 'none': they must not be published, and a row
-- trigger carries them. Whole rows are safe when the table may lose its key. They are not safe when
--   - the table has a virtual generated column (PostgreSQL 18 refuses the combination), or may get one while no event trigger would notice
-- it;
--   - a user may set another identity by hand, no event trigger would notice it, and the operator does not want to rely on the sidecar's
-- next check;
--   - another publication has the table with a list of columns, or, on 18, without its stored generated columns.
-- A key is safe as long as the event trigger notices when it is dropped.
create or replace function functions_private.identity_wanted(relation oid, with_old boolean) returns text
language plpgsql stable set search_path = pg_catalog, pg_temp as $$
#variable_conflict use_column
begin
    return (
        select case
            when not with_old and g.guarded and functions_private.identity_of(relation) = 'key' then 'key'
            when not g.guarded and (current_setting('server_version_num')::integer >= 180000
                  or exists (select from functions_private.settings s where s.key = 'events.carry_changes' and s.value = 'true'))
              or exists (select from pg_attribute a where a.attrelid = relation and a.attnum > 0 and not a.attisdropped
                  and a.attgenerated = 'v')
              or functions_private.refuses_whole_rows(relation) then 'none'
            else 'full' end
        from functions_private.has_guard() as g (guarded)
    );
end
$$;
comment on function functions_private.identity_wanted(oid, boolean) is
    'The replica identity with which no update or delete of a published table fails: full, key or none.';
revoke all on function functions_private.identity_wanted(oid, boolean) from public;
