-- functions.source(name, version) -> the source of a version (of the active one, else the latest, when null); null of one that is a
-- WebAssembly module.
create or replace function functions.source(name text, version integer default null) returns text
language sql stable set search_path = pg_catalog, functions, pg_temp as $$
    select v.source
    from functions_private.versions v join functions_private.functions f on f.name = v.function
    where f.name = source.name and (source.version is null or v.version = source.version)
    order by v.version = f.active_version desc nulls last, v.version desc
    limit 1
$$;
comment on function functions.source(text, integer) is 'The source of a version; by default of the active one.';
revoke all on function functions.source(text, integer) from public;
