-- functions_private.check_options(options, known, example, meant) raises an error that names the first invalid option and what it may be.
-- Options whose value is null are not set.
--   known    a member for each option, in the order in which a message lists them:
--              [lowest, highest]   a whole number
--              ["one", "other"]    one of these texts
--              "boolean", "text"   a value of this type
--              "role", "roles"     a role that functions may run as; one, or an array of them
--              "other"             anything, which the caller checks
--   example  options, for the message about options that are no object
--   meant    names of other products, without capitals and punctuation: {"time_zone": ["tz", "zone"]}
create or replace function functions_private.check_options(
    options jsonb, known json, example text default null, meant jsonb default '{}'
) returns void
language plpgsql stable set search_path = pg_catalog, pg_temp as $$
declare
    option record;
    kind jsonb;
begin
    if jsonb_typeof(options) is distinct from 'object' then
        raise exception 'options must be a JSON object, not %', coalesce(jsonb_typeof(options), 'null')
            using errcode = 'invalid_parameter_value', hint = coalesce('For example: ' || example || '; ', '') || '{} is none.';
    end if;
    for option in select o.key, o.value, jsonb_typeof(o.value) as type from jsonb_each(options) o where jsonb_typeof(o.value) <> 'null' loop
        kind := known -> option.key;
        if kind is null then
            perform functions_private.raise_unknown_option(option.key, array(select json_object_keys(known)), meant);
        elsif jsonb_typeof(kind -> 0) = 'number' then
            perform functions_private.validate_number_option(option.key, option.value, (kind ->> 0)::bigint, (kind ->> 1)::bigint);
        elsif jsonb_typeof(kind) = 'array' then
            if not kind @> option.value or option.type <> 'string' then
                raise exception 'option % must be %, not %', option.key,
                    regexp_replace(array_to_string(array(select c::text from jsonb_array_elements(kind) c), ', '), ', ([^,]*)$', ' or \1'),
                    left(option.value::text, 60)
                    using errcode = 'invalid_parameter_value';
            end if;
        elsif kind = '"boolean"' and option.type <> 'boolean' then
            raise exception 'option % must be true or false, not %', option.key, left(option.value::text, 60)
                using errcode = 'invalid_parameter_value';
        elsif kind = '"text"' and option.type <> 'string' then
            -- The value is not shown, since it may be a secret.
            raise exception 'option % must be a text, not %', option.key,
                case when option.type in ('array', 'object') then 'an ' else 'a ' end || option.type
                using errcode = 'invalid_parameter_value';
        elsif kind = '"role"' then
            perform functions_private.validate_role_option(option.value);
        elsif kind = '"roles"' then
            if option.type not in ('string', 'array') then
                raise exception 'option % must be the name of a role or an array of them, not %', option.key, left(option.value::text, 60)
                    using errcode = 'invalid_parameter_value';
            end if;
            perform functions_private.validate_role_option(to_jsonb(r)) from functions_private.text_list(option.value) r;
        end if;
    end loop;
end
$$;
comment on function functions_private.check_options(jsonb, json, text, jsonb) is
    'Raises an error that names the first unknown or invalid option and what it may be.';
revoke all on function functions_private.check_options(jsonb, json, text, jsonb) from public;
