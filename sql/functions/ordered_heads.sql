-- functions_private.ordered_heads(function, wanted) -> the first deliveries of up to so many order keys that may be taken now
-- Goes from key to key along the index, from a random one on, so that none starves; what waits behind a key's first one costs nothing.
create or replace function functions_private.ordered_heads(function text, wanted integer) returns setof uuid
language plpgsql volatile set search_path = pg_catalog, pg_temp as $$
declare
    head record;
    first_key bigint := ((random() * 2 - 1) * 9223372036854775807)::bigint;
    last_key bigint := first_key;
    wrapped boolean := false;
    given integer := 0;
begin
    while given < wanted loop
        select d.order_key, d.event_id, d.claimed_by is null and d.run_at <= now()
               and (d.xid is null or pg_visible_in_snapshot(d.xid, pg_current_snapshot())) as free
        into head from functions_private.deliveries d
        where d.function = ordered_heads.function and d.order_key is not null and d.order_key > last_key
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
            given := given + 1;
            return next head.event_id;
        end if;
    end loop;
end
$$;
comment on function functions_private.ordered_heads(text, integer) is 'The first deliveries of up to so many order keys that may be taken now.';
revoke all on function functions_private.ordered_heads(text, integer) from public;
