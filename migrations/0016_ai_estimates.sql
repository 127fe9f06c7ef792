-- Calls whose provider did not state the tokens.

alter table functions_private.ai_calls add column estimated boolean not null default false;
