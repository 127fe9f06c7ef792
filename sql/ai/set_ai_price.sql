-- functions.set_ai_price(model, input, output, cached_input): what a million tokens of a model cost, in the operator's currency. The model
-- is named as the provider knows it, for one provider or for all: "openai/gpt-5" comes before "gpt-5". Without input the price is removed.
-- Input tokens that the provider had cached cost cached_input (the same as others).
create or replace function functions.set_ai_price(model text, input numeric, output numeric default 0, cached_input numeric default null)
returns void
language plpgsql set search_path = pg_catalog, functions, pg_temp as $$
begin
    if model is null or length(model) > 265 or model !~ '^[^\s*]+$' then
        raise exception '% is not a model''s name', coalesce(to_json(left(model, 80))::text, 'null') using errcode = 'invalid_name',
            hint = 'As the provider calls it, with or without the provider: openai/gpt-5';
    elsif input is null then
        delete from functions_private.ai_prices p where p.model = set_ai_price.model;
    elsif not (input between 0 and 1000000 and output between 0 and 1000000 and coalesce(cached_input, 0) between 0 and 1000000) then
        raise exception 'a price must be a number from 0 to 1000000 per million tokens' using errcode = 'invalid_parameter_value';
    else
        insert into functions_private.ai_prices as p (model, input, output, cached_input)
        values (set_ai_price.model, set_ai_price.input, set_ai_price.output, coalesce(set_ai_price.cached_input, set_ai_price.input))
        on conflict on constraint ai_prices_pkey do update set input = excluded.input, output = excluded.output,
            cached_input = excluded.cached_input, updated_at = now();
    end if;
    perform pg_notify('functions_ai', 'all');
end
$$;
comment on function functions.set_ai_price(text, numeric, numeric, numeric) is
    'Sets what a million input and output tokens of a model cost; without input the price is removed.';
revoke all on function functions.set_ai_price(text, numeric, numeric, numeric) from public;
