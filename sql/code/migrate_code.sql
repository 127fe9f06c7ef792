-- functions.migrate_code(target, options) -> how many versions are going to be moved
-- Moves the code of existing versions into the table, into the bucket of functions.set_code_storage, or to both. Sidecars do it
-- afterwards, one version after the other: they copy the code, read the copy back and verify it, and only then remove the former one.
-- functions.versions shows what is left (code_move) and what failed (code_error); a failure is tried again.
--   function  only the versions of this function
create or replace function functions.migrate_code(target text, options jsonb default '{}') returns bigint
language plpgsql set search_path = pg_catalog, functions, pg_temp as $$
declare
    one text := options ->> 'function';
    wanted text := (select c.bucket from functions_private.code_storage c);
    moved bigint;
begin
    if target is null or target not in ('table', 'bucket', 'both') then
        raise exception 'code is moved to table, bucket or both, not %', coalesce(to_json(left(target, 80))::text, 'null')
            using errcode = 'invalid_parameter_value';
    end if;
    perform functions_private.check_options(options, '{"function": "text"}', '{"function": "hello"}');
    if one is not null then
        perform functions_private.require_function(one);
    end if;
    if target <> 'table' and wanted is null then
        raise exception 'there is no bucket for code' using errcode = 'object_not_in_prerequisite_state',
            hint = 'select functions.create_bucket(''code'', ''{"code": true}''); select functions.set_code_storage(''{"bucket": "code"}'');';
    end if;
    update functions_private.versions v set code_move = target, code_claimed_until = null
    where (one is null or v.function = one)
      and (v.code_error is not null
           or (target <> 'bucket') <> (num_nonnulls(v.source, v.module) = 1)
           or case when target = 'table' then v.code_bucket is not null else v.code_bucket is distinct from wanted end);
    get diagnostics moved = row_count;
    -- A move to another place that has not been finished is called off: that code stays where it is.
    update functions_private.versions v set code_move = null, code_claimed_until = null
    where v.code_move <> target and (one is null or v.function = one);
    perform pg_notify('functions_code', '');
    return moved;
end
$$;
comment on function functions.migrate_code(text, jsonb) is
    'Moves the code of versions to ''table'', ''bucket'' or ''both''; returns how many sidecars are going to move. Options: function.';
revoke all on function functions.migrate_code(text, jsonb) from public;
