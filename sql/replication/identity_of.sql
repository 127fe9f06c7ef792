-- functions_private.identity_of(relation) -> how the WAL identifies the rows of a table: 'full' (whole old rows), 'key' (the columns of a
-- unique index), or 'none', with which a published UPDATE or DELETE fails. A deferrable or invalid key counts as none.
create or replace function functions_private.identity_of(relation oid) returns text
language plpgsql stable set search_path = pg_catalog, pg_temp as $$
#variable_conflict use_column
begin
    return (
        select case
            when c.relreplident = 'f' then 'full'
            when exists (select from pg_index i where i.indrelid = c.oid and i.indisvalid and i.indimmediate
                           and (c.relreplident = 'd' and i.indisprimary or c.relreplident = 'i' and i.indisreplident)) then 'key'
            else 'none' end
        from pg_class c where c.oid = relation
    );
end
$$;
comment on function functions_private.identity_of(oid) is 'How the WAL identifies the rows of a table: full, key or none.';
revoke all on function functions_private.identity_of(oid) from public;
