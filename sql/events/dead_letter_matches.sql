-- functions_private.dead_letter_matches(letter, filter) -> whether a dead letter meets every member of the filter.
create or replace function functions_private.dead_letter_matches(letter functions_private.dead_letters, filter jsonb) returns boolean
language sql stable set search_path = pg_catalog, pg_temp as $$
    select (filter ->> 'id' is null or letter.event_id = (filter ->> 'id')::uuid)
       and (filter ->> 'function' is null or letter.function = filter ->> 'function')
       and (filter ->> 'trigger' is null or letter.trigger = filter ->> 'trigger')
       and (filter ->> 'error_code' is null or letter.error_code = filter ->> 'error_code')
       and (filter ->> 'since' is null or letter.died_at >= (filter ->> 'since')::timestamptz)
       and (filter ->> 'until' is null or letter.died_at < (filter ->> 'until')::timestamptz)
$$;
comment on function functions_private.dead_letter_matches(functions_private.dead_letters, jsonb) is
    'Whether a dead letter meets every member of the filter.';
revoke all on function functions_private.dead_letter_matches(functions_private.dead_letters, jsonb) from public;
