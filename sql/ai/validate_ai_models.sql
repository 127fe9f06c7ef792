-- functions_private.validate_ai_models(models) raises unless the option models of a provider is an array of names of models.
create or replace function functions_private.validate_ai_models(models jsonb) returns void
language plpgsql immutable set search_path = pg_catalog, pg_temp as $$
declare
    wrong text;
begin
    if models is null then
        return;
    elsif jsonb_typeof(models) <> 'array' then
        raise exception 'option models must be an array, not %', left(models::text, 60) using errcode = 'invalid_parameter_value',
            hint = 'For example: ["gpt-5", "text-embedding-3-small"]';
    end if;
    select left(m::text, 80) into wrong from jsonb_array_elements(models) m
    where jsonb_typeof(m) <> 'string' or m #>> '{}' !~ '^[^\s*]{1,200}$' limit 1;
    if wrong is not null then
        raise exception 'option models: % is not the name of a model', wrong using errcode = 'invalid_parameter_value';
    end if;
end
$$;
comment on function functions_private.validate_ai_models(jsonb) is 'Raises unless the option models of a provider is an array of names.';
revoke all on function functions_private.validate_ai_models(jsonb) from public;
