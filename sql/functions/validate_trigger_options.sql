-- functions_private.validate_trigger_options(options, relation) raises one error that names the option and what it may be.
create or replace function functions_private.validate_trigger_options(options jsonb, relation regclass) returns void
language plpgsql set search_path = pg_catalog, pg_temp as $$
declare
    option record;
    bounds bigint[];
    missing text;
begin
    if jsonb_typeof(options) is distinct from 'object' then
        raise exception 'options must be a JSON object, not %', coalesce(jsonb_typeof(options), 'null') using errcode = 'invalid_parameter_value';
    end if;
    for option in select o.key, o.value, jsonb_typeof(o.value) as type from jsonb_each(options) o where jsonb_typeof(o.value) <> 'null' loop
        bounds := case option.key
            when 'batch_size'     then array[1, 1000]
            when 'retries'        then array[0, 100]
            when 'backoff_ms'     then array[10, 3600000]
            when 'max_backoff_ms' then array[10, 86400000]
            when 'timeout_ms'     then array[1000, 300000]
        end;
        if bounds is not null then
            perform functions_private.validate_number_option(option.key, option.value, bounds[1], bounds[2]);
        elsif option.key = 'include_old' then
            if option.type <> 'boolean' then
                raise exception 'option include_old must be true or false, not %', left(option.value::text, 60) using errcode = 'invalid_parameter_value';
            end if;
        elsif option.key = 'start' then
            if option.value #>> '{}' is distinct from 'now' and option.value #>> '{}' is distinct from 'backfill' then
                raise exception 'option start must be "now" or "backfill", not %', left(option.value::text, 60) using errcode = 'invalid_parameter_value';
            end if;
        elsif option.key = 'follow' then
            if option.value #>> '{}' is distinct from 'object' and option.value #>> '{}' is distinct from 'name' then
                raise exception 'option follow must be "object" or "name", not %', left(option.value::text, 60) using errcode = 'invalid_parameter_value';
            end if;
        elsif option.key = 'payload' then
            if option.value #>> '{}' is distinct from 'event' and option.value #>> '{}' is distinct from 'supabase' then
                raise exception 'option payload must be "event" or "supabase", not %', left(option.value::text, 60) using errcode = 'invalid_parameter_value';
            end if;
        elsif option.key in ('headers', 'secret') then
            if options ->> 'url' is null then
                raise exception 'option % belongs to the option url, which is missing', option.key using errcode = 'invalid_parameter_value';
            end if;
        elsif option.key = 'url' then
            null; -- functions_private.set_url_target checks it with its headers and secret
        elsif option.key = 'when' then
            if option.type <> 'string' then
                raise exception 'option when must be an SQL condition over old and new, not %', left(option.value::text, 60) using errcode = 'invalid_parameter_value';
            end if;
            perform functions_private.validate_condition('when', option.value #>> '{}', relation, 'new.status is distinct from old.status');
        elsif option.key in ('columns', 'order_by') then
            if option.type not in ('string', 'array') or option.value = '[]' then
                raise exception 'option % must be a column''s name or an array of them, not %', option.key, left(option.value::text, 60)
                    using errcode = 'invalid_parameter_value';
            end if;
            select c into missing from functions_private.text_list(option.value) c
            where not exists (select from pg_attribute a where a.attrelid = relation and a.attname = c and a.attnum > 0 and not a.attisdropped
                                and a.attgenerated = '') limit 1;
            if found then
                raise exception 'option %: % has no column % that logical replication carries', option.key, relation, to_json(missing)
                    using errcode = 'undefined_column', hint = 'Generated columns are computed again by readers; name the columns they come from.';
            end if;
        elsif option.key = 'role' then
            perform functions_private.validate_role_option(option.value);
        else
            raise exception 'unknown option %', to_json(option.key) using errcode = 'invalid_parameter_value',
                hint = coalesce('Did you mean ' || functions_private.similar_option(option.key) || '? ', '') || 'The options are columns, when, order_by, batch_size, retries, backoff_ms, max_backoff_ms, timeout_ms, role, include_old, start, follow, payload, url, headers, secret.';
        end if;
    end loop;
end
$$;
comment on function functions_private.validate_trigger_options(jsonb, regclass) is 'Raises an error that names the first option of a trigger that is unknown or wrong.';
revoke all on function functions_private.validate_trigger_options(jsonb, regclass) from public;
