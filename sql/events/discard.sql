-- functions.discard(filter) -> how many dead letters were deleted. The filter is that of functions.redrive.
create or replace function functions.discard(dead_letter_filter jsonb) returns bigint
language plpgsql set search_path = pg_catalog, functions, pg_temp as $$
declare
    removed bigint;
begin
    perform functions_private.validate_dead_letter_filter(dead_letter_filter);
    delete from functions_private.dead_letters l where functions_private.dead_letter_matches(l, dead_letter_filter);
    get diagnostics removed = row_count;
    return removed;
end
$$;
comment on function functions.discard(jsonb) is
    'Deletes dead letters; returns how many. Filter members: id, function, trigger, error_code, since, until; ''{}'' matches all.';
revoke all on function functions.discard(jsonb) from public;
