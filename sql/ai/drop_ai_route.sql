-- functions.drop_ai_route(pattern): removes a route; shorter patterns, or the providers themselves, answer for its names.
create or replace function functions.drop_ai_route(pattern text) returns void
language plpgsql set search_path = pg_catalog, functions, pg_temp as $$
begin
    delete from functions_private.ai_routes r where r.pattern = drop_ai_route.pattern;
    if not found then
        perform functions_private.raise_missing('route', pattern, array(select r.pattern from functions_private.ai_routes r), 'ai_routes');
    end if;
    perform pg_notify('functions_ai', 'all');
end
$$;
comment on function functions.drop_ai_route(text) is 'Drops a route of models.';
revoke all on function functions.drop_ai_route(text) from public;
