-- functions_private.validate_policy(policy) raises unless it is a policy of a bucket: {"role", "prefix", "rights"}.
create or replace function functions_private.validate_policy(policy jsonb) returns void
language plpgsql stable set search_path = pg_catalog, pg_temp as $$
declare
    unknown text;
begin
    if jsonb_typeof(policy) is distinct from 'object' then
        raise exception 'a policy must be an object, not %', left(policy::text, 60) using errcode = 'invalid_parameter_value',
            hint = 'For example: {"role": "authenticated", "prefix": "users/{sub}/", "rights": ["read", "write"]}';
    end if;
    select k into unknown from jsonb_object_keys(policy) k where k not in ('role', 'prefix', 'rights') limit 1;
    if unknown is not null then
        raise exception 'unknown member % of a policy', to_json(unknown) using errcode = 'invalid_parameter_value',
            hint = 'The members are role, prefix, rights.';
    end if;
    perform functions_private.validate_role_option(coalesce(policy -> 'role', 'null'));
    if policy ? 'prefix' and (jsonb_typeof(policy -> 'prefix') <> 'string' or octet_length(policy ->> 'prefix') > 1024) then
        raise exception 'the prefix of a policy must be a text of at most 1,024 bytes, not %', left((policy -> 'prefix')::text, 60)
            using errcode = 'invalid_parameter_value';
    end if;
    if jsonb_typeof(policy -> 'rights') is distinct from 'string' and jsonb_typeof(policy -> 'rights') is distinct from 'array'
        or not exists (select from functions_private.text_list(policy -> 'rights'))
        or exists (select from functions_private.text_list(policy -> 'rights') r
                   where r is null or r not in ('read', 'write', 'list', 'delete'))
    then
        raise exception 'the rights of a policy must be some of read, write, list, delete, not %',
            coalesce(left((policy -> 'rights')::text, 60), 'missing') using errcode = 'invalid_parameter_value';
    end if;
end
$$;
comment on function functions_private.validate_policy(jsonb) is 'Raises unless it is a policy of a bucket.';
revoke all on function functions_private.validate_policy(jsonb) from public;
