-- functions_private.pgvector_schema() -> the schema of the extension pgvector. Raises if the database does not have it, with what to do.
create or replace function functions_private.pgvector_schema() returns name
language plpgsql stable set search_path = pg_catalog, pg_temp as $$
declare
    installed record;
    major text := (current_setting('server_version_num')::integer / 10000)::text;
begin
    select n.nspname, e.extversion into installed
    from pg_extension e join pg_namespace n on n.oid = e.extnamespace where e.extname = 'vector';
    if found and string_to_array(installed.extversion, '.')::integer[] >= array[0, 7] then
        return installed.nspname;
    elsif found then
        raise exception 'Vector indexes need pgvector 0.7 or newer; this database has %.', installed.extversion
            using errcode = 'feature_not_supported', hint = 'Install a newer package of it, then: alter extension vector update;';
    elsif exists (select from pg_available_extensions a where a.name = 'vector') then
        raise exception 'Vector indexes need the extension pgvector, which this database does not have yet.'
            using errcode = 'feature_not_supported', hint = 'create extension vector;';
    end if;
    raise exception 'Vector indexes need the extension pgvector, which this server does not have.'
        using errcode = 'feature_not_supported', hint = format(
            'Install it on the server (apt-get install postgresql-%s-pgvector, or https://github.com/pgvector/pgvector#installation), then: '
            'create extension vector;', major);
end
$$;
comment on function functions_private.pgvector_schema() is 'The schema of the extension pgvector; raises if the database does not have it.';
revoke all on function functions_private.pgvector_schema() from public;
