-- functions_private.validate_trigger_options(options, relation) raises an error that names the first invalid option and its valid values.
create or replace function functions_private.validate_trigger_options(options jsonb, relation regclass) returns void
language plpgsql set search_path = pg_catalog, pg_temp as $$
declare
    argument text;
    list text;
    missing text;
begin
    if jsonb_typeof(options) = 'object' then
        select k into argument from jsonb_object_keys(options) k
        where lower(k) in ('trigger', 'name', 'function', 'table', 'operations', 'events');
        if found then
            raise exception 'unknown option %', to_json(argument) using errcode = 'invalid_parameter_value',
                hint = 'That is an argument of create_trigger itself.';
        end if;
    end if;
    perform functions_private.check_options(options,
        '{
            "columns": "other", "when": "other", "order_by": "other", "batch_size": [1, 1000], "retries": [0, 100],
            "backoff_ms": [10, 3600000], "max_backoff_ms": [10, 86400000], "timeout_ms": [1000, 300000], "role": "role",
            "include_old": "boolean", "start": ["now", "backfill"], "follow": ["object", "name"], "payload": ["event", "supabase"],
            "url": "other", "headers": "other", "secret": "other"
        }',
        '{"retries": 3}',
        '{
            "columns": ["column", "updatecolumns", "fields", "field", "of"], "when": ["condition", "filter", "where", "if"],
            "order_by": ["order", "orderkey", "key", "partitionkey", "groupby"], "batch_size": ["batch", "maxbatchsize", "maxbatch"],
            "retries": ["retry", "maxretries", "numretries", "attempts", "maxattempts"],
            "backoff_ms": ["backoff", "intervalsec", "retryinterval", "delay", "delayms"], "max_backoff_ms": ["maxbackoff"],
            "timeout_ms": ["timeout", "timeoutsec"], "role": ["runas", "user", "as"],
            "include_old": ["old", "oldrow", "replicaidentity", "full"], "start": ["from", "startfrom", "startat"],
            "payload": ["format", "payloadformat"], "url": ["webhook", "webhookurl", "endpoint"], "headers": ["header", "httpheaders"],
            "secret": ["signingsecret", "webhooksecret"]
        }');
    if (options ->> 'max_backoff_ms')::bigint < (options ->> 'backoff_ms')::bigint then
        raise exception 'option max_backoff_ms must not be less than backoff_ms, which is %', options -> 'backoff_ms'
            using errcode = 'invalid_parameter_value';
    end if;
    if options ->> 'url' is null and (options ->> 'headers' is not null or options ->> 'secret' is not null) then
        raise exception 'option % belongs to the option url, which is missing',
            case when options ->> 'headers' is null then 'secret' else 'headers' end
            using errcode = 'invalid_parameter_value',
            hint = 'To post events to a URL: {"url": "https://api.example.com/hooks/orders"}, with null for the function.';
    end if;
    if jsonb_typeof(options -> 'when') = 'string' then
        perform functions_private.validate_condition('when', options ->> 'when', relation, 'new.status is distinct from old.status');
    elsif jsonb_typeof(options -> 'when') <> 'null' then
        raise exception 'option when must be an SQL condition over old and new, not %', left((options -> 'when')::text, 60)
            using errcode = 'invalid_parameter_value';
    end if;
    foreach list in array array['columns', 'order_by'] loop
        continue when coalesce(jsonb_typeof(options -> list), 'null') = 'null';
        if jsonb_typeof(options -> list) not in ('string', 'array') or options -> list = '[]' then
            raise exception 'option % must be a column''s name or an array of them, not %', list, left((options -> list)::text, 60)
                using errcode = 'invalid_parameter_value';
        end if;
        select c into missing from functions_private.text_list(options -> list) c
        where not exists (select from pg_attribute a where a.attrelid = relation and a.attname = c and a.attnum > 0
            and not a.attisdropped and functions_private.is_in_wal(a.attgenerated)) limit 1;
        if found then
            perform functions_private.raise_invalid_column(list, relation, missing);
        end if;
    end loop;
end
$$;
comment on function functions_private.validate_trigger_options(jsonb, regclass) is
    'Raises an error that names the first unknown or invalid option of a trigger.';
revoke all on function functions_private.validate_trigger_options(jsonb, regclass) from public;
