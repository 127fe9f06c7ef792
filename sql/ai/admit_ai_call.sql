-- functions_private.admit_ai_call(function, role, user_id) -> the limit that is reached, when it ends, and in how many seconds; null: none
-- Counts a request against all limits of a caller, unless one of them is reached.
create or replace function functions_private.admit_ai_call(
    function text, role text, user_id text, out reached text, out ends_at timestamptz, out wait_seconds double precision
)
language plpgsql set search_path = pg_catalog, pg_temp as $$
declare
    one record;
    used functions_private.ai_usage;
    what text;
begin
    -- The rows stay locked until the end, so no other call is admitted between the check and the count.
    for one in select * from functions_private.ai_limits_of(function, role, user_id) loop
        used := functions_private.use_ai_limit(one.id, one.key, one.period, 0, 0, 0);
        what := case when used.requests >= one.requests then one.requests || ' requests'
                     when used.tokens >= one.tokens then one.tokens || ' tokens'
                     when used.cost >= one.cost then 'a cost of ' || one.cost end;
        if what is not null and (ends_at is null or ends_at < used.since + ('1 ' || one.period)::interval) then
            reached := format('%s per %s for %s', what, one.period, one.description);
            ends_at := used.since + ('1 ' || one.period)::interval;
        end if;
    end loop;
    wait_seconds := greatest(extract(epoch from ends_at - now()), 0);
    if reached is null then
        perform functions_private.use_ai_limit(l.id, l.key, l.period, 1, 0, 0)
        from functions_private.ai_limits_of(function, role, user_id) l;
    end if;
end
$$;
comment on function functions_private.admit_ai_call(text, text, text) is
    'Counts a request to a model against the limits of its caller, or says which limit is reached.';
revoke all on function functions_private.admit_ai_call(text, text, text) from public;
