-- functions_private.require_webhook(name) -> its scheme; locks its row, so that changes of one webhook run one after another. Raises when
-- it does not exist.
create or replace function functions_private.require_webhook(name text) returns text
language plpgsql set search_path = pg_catalog, pg_temp as $$
declare
    found_scheme text;
begin
    select w.scheme into found_scheme from functions_private.webhooks w where w.name = require_webhook.name for update;
    if not found then
        perform functions_private.raise_missing('webhook', name, array(select w.name from functions_private.webhooks w));
    end if;
    return found_scheme;
end
$$;
comment on function functions_private.require_webhook(text) is
    'Locks the webhook''s row and returns its scheme; raises undefined_object when it does not exist.';
revoke all on function functions_private.require_webhook(text) from public;
