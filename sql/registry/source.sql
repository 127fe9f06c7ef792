-- functions.source(name, version) -> the source of a version (of the active one, else the latest, when null); null of one that is a
-- WebAssembly module. Raises if the source is in a bucket in S3, which SQL can't read.
create or replace function functions.source(name text, version integer default null) returns text
language plpgsql stable set search_path = pg_catalog, functions, pg_temp as $$
declare
    found_version functions_private.versions;
    stored functions_private.objects;
begin
    select v.* into found_version
    from functions_private.versions v join functions_private.functions f on f.name = v.function
    where f.name = source.name and (source.version is null or v.version = source.version)
    order by v.version = f.active_version desc nulls last, v.version desc
    limit 1;
    if found_version.language = 'wasm' or found_version.source is not null or not found then
        return found_version.source;
    end if;
    select o.* into stored from functions_private.objects o
    where o.bucket = found_version.code_bucket and o.key = found_version.code_key;
    if not found then
        raise exception 'the source of version % of % is in the bucket %', found_version.version, found_version.function,
            found_version.code_bucket using errcode = 'object_not_in_prerequisite_state',
            hint = format('select functions.migrate_code(''both'', ''{"function": "%s"}'');', found_version.function);
    end if;
    return convert_from(coalesce(stored.data, (
        select string_agg(k.bytes, ''::bytea order by k.ordinal) from functions_private.object_chunks k where k.content = stored.version)),
        'UTF8');
end
$$;
comment on function functions.source(text, integer) is 'The source of a version; by default of the active one.';
revoke all on function functions.source(text, integer) from public;
