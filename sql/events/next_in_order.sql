-- functions_private.next_in_order(function, wanted) -> the first delivery of each order key, for up to "wanted" keys whose first delivery
-- is due
-- Walks the index from key to key, beginning at a random key so that none starves. Deliveries that wait behind the first of their key are
-- not visited.
create or replace function functions_private.next_in_order(function text, wanted integer) returns setof uuid
language plpgsql volatile set search_path = pg_catalog, pg_temp as $$
declare
    head record;
    first_key bigint := ((random() * 2 - 1) * 9223372036854775807)::bigint;
    last_key bigint := first_key;
    wrapped boolean := false;
    returned integer := 0;
begin
    while returned < wanted loop
        select d.order_key, d.event_id, d.claimed_by is null and d.run_at <= now()
               and (d.xid is null or pg_visible_in_snapshot(d.xid, pg_current_snapshot())) as free
        into head from functions_private.deliveries d
        where d.function = next_in_order.function and d.order_key is not null and d.order_key > last_key
        order by d.order_key, d.event_id limit 1;
        if not found then
            exit when wrapped;
            wrapped := true;
            last_key := -9223372036854775808;
            continue;
        end if;
        exit when wrapped and head.order_key > first_key;
        last_key := head.order_key;
        if head.free then
            returned := returned + 1;
            return next head.event_id;
        end if;
    end loop;
end
$$;
comment on function functions_private.next_in_order(text, integer) is
    'The first delivery of each order key, for up to so many keys whose first delivery is due.';
revoke all on function functions_private.next_in_order(text, integer) from public;
