-- functions_private.cron_text(values, size, keeps_interval) -> a time field in the notation that Cronos reads. "n-n" means n, and tells
-- Cronos that the field is an interval.
create or replace function functions_private.cron_text("values" integer[], size integer, keeps_interval boolean) returns text
language sql immutable set search_path = pg_catalog, pg_temp as $$
    select case when not keeps_interval then array_to_string("values", ',')
        when cardinality("values") = size then '*'
        else concat_ws(',', "values"[1] || '-' || "values"[1], nullif(array_to_string("values"[2:], ','), '')) end
$$;
comment on function functions_private.cron_text(integer[], integer, boolean) is
    'A time field of a cron expression in the notation that Cronos reads.';
revoke all on function functions_private.cron_text(integer[], integer, boolean) from public;
