-- functions_private.raise_missing(kind, name, names, view) raises undefined_object: there is no such function, trigger, schedule ... It
-- names the one that was most likely meant, and the view that lists them, by default functions.<kind>s.
create or replace function functions_private.raise_missing(kind text, name text, names text[], view text default null) returns void
language plpgsql immutable set search_path = pg_catalog, pg_temp as $$
begin
    raise exception 'There is no % named %.', kind, coalesce(to_json(name)::text, 'null') using errcode = 'undefined_object',
        hint = coalesce('Did you mean '
            || (select to_json(n) from unnest(names) n where functions_private.is_similar_name(raise_missing.name, n) limit 1) || '? ', '')
            || format('select name from functions.%s;', coalesce(view, kind || 's'));
end
$$;
comment on function functions_private.raise_missing(text, text, text[], text) is
    'Raises undefined_object, and names the object that was most likely meant.';
revoke all on function functions_private.raise_missing(text, text, text[], text) from public;
