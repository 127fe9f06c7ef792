-- functions_private.is_in_wal(generated) -> whether row changes in the WAL contain columns of this kind (pg_attribute.attgenerated). Plain
-- columns: always. Stored generated columns: from PostgreSQL 18 on, if the publications include them. Virtual ones: never.
create or replace function functions_private.is_in_wal(generated "char") returns boolean
language sql stable set search_path = pg_catalog, pg_temp as $$
    select generated = '' or generated = 's' and current_setting('server_version_num')::integer >= 180000
        and not exists (select from pg_publication p where p.pubname in ('functions_events', 'functions_events_changes')
            and to_jsonb(p) ->> 'pubgencols' <> 's')
$$;
comment on function functions_private.is_in_wal("char") is 'Whether row changes in the WAL contain columns that are generated in this way.';
revoke all on function functions_private.is_in_wal("char") from public;
