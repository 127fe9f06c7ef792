-- functions.drop_api_key(name) drops an API key. It stops working at once, on every sidecar.
create or replace function functions.drop_api_key(name text) returns void
language plpgsql set search_path = pg_catalog, functions, pg_temp as $$
begin
    delete from functions_private.api_keys k where k.name = drop_api_key.name;
    if not found then
        raise exception 'There is no API key named %.', coalesce(to_json(left(name, 140))::text, 'null') using errcode = 'undefined_object',
            hint = 'select name from functions.api_keys;';
    end if;
end
$$;
comment on function functions.drop_api_key(text) is 'Drops an API key: it stops working at once.';
revoke all on function functions.drop_api_key(text) from public;
