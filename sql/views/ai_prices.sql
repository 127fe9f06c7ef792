create or replace view functions.ai_prices as
select p.model, p.input, p.output, p.cached_input, p.updated_at from functions_private.ai_prices p;
comment on view functions.ai_prices is 'What a million tokens of models cost.';
