-- functions.set_code_storage(options): where the code of functions is kept. Options that are not given return to their defaults. It
-- concerns new versions; functions.migrate_code moves the others.
--   bucket        a bucket that was made with the option code (none)
--   prefer        table (default), bucket: which copy is read first. If it is missing or wrong, the other one is read
--   write         table (default), bucket, both: where a new version goes. It is in its row until the object in the bucket is verified
--   auto_migrate  true: a version that is loaded and is not where prefer says is copied there (false)
create or replace function functions.set_code_storage(options jsonb default '{}') returns void
language plpgsql set search_path = pg_catalog, functions, pg_temp as $$
declare
    wanted text := options ->> 'bucket';
begin
    perform functions_private.check_options(options, '{"bucket": "text", "prefer": ["table", "bucket"],
        "write": ["table", "bucket", "both"], "auto_migrate": "boolean"}', '{"bucket": "code", "prefer": "bucket", "write": "bucket"}');
    if wanted is not null then
        perform functions_private.require_bucket(wanted);
        if not (select b.code from functions_private.buckets b where b.name = wanted) then
            raise exception 'the bucket % is none of code: functions could write to it', wanted using errcode = 'invalid_parameter_value',
                hint = format('Make another one: select functions.create_bucket(''code'', ''{"code": true}'');');
        end if;
    elsif options ->> 'prefer' = 'bucket' or options ->> 'write' in ('bucket', 'both') then
        raise exception 'code can''t go into a bucket without the option bucket' using errcode = 'invalid_parameter_value',
            hint = 'For example: {"bucket": "code", "prefer": "bucket", "write": "bucket"}';
    end if;
    update functions_private.code_storage c
    set bucket = wanted, prefer = coalesce(options ->> 'prefer', 'table'), write = coalesce(options ->> 'write', 'table'),
        auto_migrate = coalesce((options ->> 'auto_migrate')::boolean, false);
    perform pg_notify('functions_code', '');
end
$$;
comment on function functions.set_code_storage(jsonb) is
    'Says where the code of functions is kept: in the table of versions or in a bucket. Options: bucket, prefer, write, auto_migrate.';
revoke all on function functions.set_code_storage(jsonb) from public;
