-- functions.drop_ai_provider(name): removes a provider and its credentials. Routes that name it must be changed or dropped before.
create or replace function functions.drop_ai_provider(name text) returns void
language plpgsql set search_path = pg_catalog, functions, pg_temp as $$
declare
    route text := (select r.pattern from functions_private.ai_routes r
        where r.targets @> jsonb_build_array(jsonb_build_object('provider', drop_ai_provider.name)) order by r.pattern limit 1);
begin
    if route is not null then
        raise exception 'the route % leads to the provider %', to_json(route), drop_ai_provider.name using errcode = 'object_in_use',
            hint = format('select functions.drop_ai_route(%L);', route);
    end if;
    delete from functions_private.ai_providers p where p.name = drop_ai_provider.name;
    if not found then
        perform functions_private.raise_missing('provider', name, array(select p.name from functions_private.ai_providers p),
            'ai_providers');
    end if;
    perform pg_notify('functions_ai', 'all');
end
$$;
comment on function functions.drop_ai_provider(text) is 'Drops a provider of models, with its credentials.';
revoke all on function functions.drop_ai_provider(text) from public;
