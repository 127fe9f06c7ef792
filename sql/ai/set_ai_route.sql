-- functions.set_ai_route(pattern, options): which provider answers for a model's name. Called again, it replaces the route.
--   pattern  a name (an alias), or a text that ends with *: openai/*, @cf/meta/*, *. The longest that matches counts; a name without *
--            comes first.
--   targets  an array of {"provider", "model"}, tried in order: the next one is asked when one fails or limits requests. model is the name
--            there; without it the name that was asked for. A * in it stands for what the pattern's * matched.
--   roles    an array: only these roles of functions may use it (every role)
create or replace function functions.set_ai_route(pattern text, options jsonb) returns void
language plpgsql set search_path = pg_catalog, functions, pg_temp as $$
begin
    if pattern is null or pattern !~ '^[^\s*]{0,199}[*]?$' or pattern = '' then
        raise exception '% is not a model''s name or pattern', coalesce(to_json(left(pattern, 80))::text, 'null')
            using errcode = 'invalid_name', hint = 'At most 200 characters without blanks; * is the last one: openai/*';
    end if;
    perform functions_private.check_options(options, '{"targets": "other", "roles": "roles"}',
        '{"targets": [{"provider": "openai", "model": "gpt-5"}]}', '{"targets": ["target", "provider", "providers", "fallbacks"]}');
    perform functions_private.validate_ai_targets(pattern, options -> 'targets');
    insert into functions_private.ai_routes as r (pattern, targets, roles)
    values (set_ai_route.pattern, options -> 'targets',
        case when options ->> 'roles' is not null then array(select functions_private.text_list(options -> 'roles')) end)
    on conflict on constraint ai_routes_pkey do update set targets = excluded.targets, roles = excluded.roles, updated_at = now();
    perform pg_notify('functions_ai', 'all');
end
$$;
comment on function functions.set_ai_route(text, jsonb) is
    'Says which providers answer for a model''s name or pattern, in order. Options: targets, roles.';
revoke all on function functions.set_ai_route(text, jsonb) from public;
