-- functions_private.validate_ai_targets(pattern, targets) raises unless each target of a route is an existing provider, with or without a
-- model.
create or replace function functions_private.validate_ai_targets(pattern text, targets jsonb) returns void
language plpgsql set search_path = pg_catalog, pg_temp as $$
declare
    target jsonb;
begin
    if jsonb_typeof(targets) is distinct from 'array' or jsonb_array_length(targets) not between 1 and 10 then
        raise exception 'option targets must be an array of 1 to 10 targets, not %', coalesce(left(targets::text, 60), 'null')
            using errcode = 'invalid_parameter_value', hint = 'For example: [{"provider": "openai", "model": "gpt-5"}]';
    end if;
    for target in select t from jsonb_array_elements(targets) t loop
        if jsonb_typeof(target) <> 'object' or jsonb_typeof(target -> 'provider') is distinct from 'string'
            or target - '{provider,model}'::text[] <> '{}' or jsonb_typeof(target -> 'model') not in ('string', 'null')
        then
            raise exception 'a target must be {"provider", "model"}, not %', left(target::text, 80)
                using errcode = 'invalid_parameter_value';
        elsif target ->> 'model' ~ '[*]' and pattern !~ '[*]' then
            raise exception 'the model % has a *, but the route % has none', target -> 'model', to_json(pattern)
                using errcode = 'invalid_parameter_value';
        end if;
        perform from functions_private.ai_providers p where p.name = target ->> 'provider' for key share;
        if not found then
            perform functions_private.raise_missing('provider', target ->> 'provider',
                array(select p.name from functions_private.ai_providers p), 'ai_providers');
        end if;
    end loop;
end
$$;
comment on function functions_private.validate_ai_targets(text, jsonb) is 'Raises unless the targets of a route are existing providers.';
revoke all on function functions_private.validate_ai_targets(text, jsonb) from public;
