-- functions_private.report_code_error(id, error): a copy of a version's code is missing, wrong or could not be read or written. A move that
-- failed is tried again after half a minute; with auto_migrate, a copy that is not usable is made again from the other one.
create or replace function functions_private.report_code_error(id uuid, error text) returns void
language sql set search_path = pg_catalog, pg_temp as $$
    update functions_private.versions v
    set code_error = left(report_code_error.error, 1000), code_claimed_until = now() + interval '30 seconds',
        code_move = coalesce(v.code_move, (
            select 'both' from functions_private.code_storage c where c.auto_migrate and c.bucket is not null))
    where v.id = report_code_error.id
$$;
comment on function functions_private.report_code_error(uuid, text) is
    'Records what is wrong with a copy of a version''s code.';
revoke all on function functions_private.report_code_error(uuid, text) from public;
