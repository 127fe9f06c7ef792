-- functions_private.condition_type(type) -> the name of a type for the login pgfn_conditions; null where that login has no USAGE on the
-- type's schema. A domain is named by its base type: values met the domain's checks when they were written.
create or replace function functions_private.condition_type(type oid) returns text
language sql stable set search_path = pg_catalog, pg_temp as $$
    with recursive base as (
        select t.oid, t.typtype, t.typbasetype, t.typnamespace from pg_type t where t.oid = condition_type.type
        union all
        select t.oid, t.typtype, t.typbasetype, t.typnamespace from base b join pg_type t on t.oid = b.typbasetype where b.typtype = 'd'
    )
    select case when has_schema_privilege('pgfn_conditions', b.typnamespace, 'usage') then format_type(b.oid, -1) end from base b
        where b.typtype <> 'd'
$$;
comment on function functions_private.condition_type(oid) is
    'The name of a type for the login that evaluates conditions; null without USAGE on its schema.';
revoke all on function functions_private.condition_type(oid) from public;
