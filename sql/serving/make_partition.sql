-- functions_serving.make_partition(parent, day): functions_private.make_partition with the owner's rights, for the four tables that have
-- partitions.
create or replace function functions_serving.make_partition(parent text, day date) returns boolean
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
begin
    if parent is null or day is null or parent <> all (array['invocations', 'logs', 'ai_calls', 'events']) then
        raise exception 'There are no partitions of %.', coalesce(to_json(left(parent, 80))::text, 'null')
            using errcode = 'invalid_parameter_value', hint = 'invocations, logs, ai_calls and events have one for each UTC day.';
    end if;
    return functions_private.make_partition(parent, day);
end
$$;
comment on function functions_serving.make_partition(text, date) is
    'Creates the partition of one UTC day of invocations, logs, ai_calls or events, with the owner''s rights.';
revoke all on function functions_serving.make_partition(text, date) from public;
