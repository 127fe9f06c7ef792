-- functions_private.expire_webhooks(at_most) -> how many deliveries were forgotten; as many as asked for: there may be more
-- Forgets deliveries whose time is over, and removes secrets whose overlap is over. Several sidecars may call it at once.
create or replace function functions_private.expire_webhooks(at_most integer) returns integer
language plpgsql set search_path = pg_catalog, pg_temp as $$
declare
    forgotten integer;
begin
    delete from functions_private.webhook_secrets s where s.expires_at <= now();
    delete from functions_private.webhook_deliveries d where d.ctid = any (array(
        select e.ctid from functions_private.webhook_deliveries e where e.expires_at <= now()
        order by e.expires_at limit at_most for update skip locked));
    get diagnostics forgotten = row_count;
    return forgotten;
end
$$;
comment on function functions_private.expire_webhooks(integer) is
    'Forgets deliveries of webhooks and removes secrets whose time is over; returns how many deliveries.';
revoke all on function functions_private.expire_webhooks(integer) from public;
