-- functions.limit_ai(options): how much functions and clients may ask of models, counted for all sidecars together. Each call replaces the
-- limits of the same function, role and per_user; without a number they are removed.
--   function             the limit is of this function (of all of them, and of clients)
--   role                 the limit is of callers with this role (of every role)
--   per_user             true: each user has it alone (false)
--   requests_per_minute, requests_per_day, tokens_per_minute, tokens_per_day   whole numbers
--   cost_per_minute, cost_per_day   in the currency of functions.set_ai_price; models without a price are refused then
-- Tokens and cost are known after a call, so calls that run at the same time may exceed them. Periods are those of the clock, in UTC.
create or replace function functions.limit_ai(options jsonb) returns void
language plpgsql set search_path = pg_catalog, functions, pg_temp as $$
declare
    of_function text := coalesce(options ->> 'function', '');
    of_role text := coalesce(options ->> 'role', '');
    is_per_user boolean;
    one text;
begin
    perform functions_private.check_options(options, '{"function": "text", "role": "role", "per_user": "boolean",
        "requests_per_minute": [0, 1000000000], "requests_per_day": [0, 1000000000], "tokens_per_minute": [0, 1000000000000],
        "tokens_per_day": [0, 1000000000000], "cost_per_minute": "other", "cost_per_day": "other"}', '{"tokens_per_day": 1000000}');
    foreach one in array array['cost_per_minute', 'cost_per_day'] loop
        if jsonb_typeof(options -> one) not in ('number', 'null') or (options ->> one)::numeric not between 0 and 1000000000 then
            raise exception 'option % must be a number from 0 to 1000000000', one using errcode = 'invalid_parameter_value';
        end if;
    end loop;
    if of_function <> '' then
        perform functions_private.require_function(of_function);
    end if;
    is_per_user := coalesce((options ->> 'per_user')::boolean, false);
    foreach one in array array['minute', 'day'] loop
        if num_nonnulls(options ->> ('requests_per_' || one), options ->> ('tokens_per_' || one), options ->> ('cost_per_' || one)) = 0 then
            delete from functions_private.ai_limits l
            where l.function = of_function and l.role = of_role and l.per_user = is_per_user and l.period = one;
        else
            insert into functions_private.ai_limits as l (function, role, per_user, period, requests, tokens, cost)
            values (of_function, of_role, is_per_user, one, (options ->> ('requests_per_' || one))::bigint,
                (options ->> ('tokens_per_' || one))::bigint, (options ->> ('cost_per_' || one))::numeric)
            on conflict on constraint ai_limits_function_role_per_user_period_key do update
                set requests = excluded.requests, tokens = excluded.tokens, cost = excluded.cost;
        end if;
    end loop;
    perform pg_notify('functions_ai', 'all');
end
$$;
comment on function functions.limit_ai(jsonb) is
    'Limits requests, tokens and cost of models per minute and day. Options: function, role, per_user, requests_per_minute, '
    'requests_per_day, tokens_per_minute, tokens_per_day, cost_per_minute, cost_per_day.';
revoke all on function functions.limit_ai(jsonb) from public;
