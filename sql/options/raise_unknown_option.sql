-- functions_private.raise_unknown_option(name, known, meant) raises an error that lists the options, and names the one that was most likely
-- meant: a misspelled one, or one that another product calls so (functions_private.check_options).
create or replace function functions_private.raise_unknown_option(name text, known text[], meant jsonb) returns void
language plpgsql immutable set search_path = pg_catalog, pg_temp as $$
declare
    word constant text := lower(regexp_replace(name, '[^A-Za-z]', '', 'g'));
    likely text := (
        select k from unnest(known) with ordinality u (k, i)
        where meant -> k ? word or functions_private.is_similar_name(name, k)
        order by meant -> k ? word desc nulls last, i limit 1);
begin
    raise exception 'unknown option %', to_json(name) using errcode = 'invalid_parameter_value',
        hint = coalesce('Did you mean ' || likely || '? ', '') || 'The options are ' || array_to_string(known, ', ') || '.';
end
$$;
comment on function functions_private.raise_unknown_option(text, text[], jsonb) is
    'Raises an error that lists the options, and names the one that was most likely meant.';
revoke all on function functions_private.raise_unknown_option(text, text[], jsonb) from public;
