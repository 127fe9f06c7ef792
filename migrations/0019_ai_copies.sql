-- Providers of models in a copy of a database.

alter table functions_private.ai_providers
    add column held boolean not null default false;  -- a copy must not spend the original's money: see functions.adopt
