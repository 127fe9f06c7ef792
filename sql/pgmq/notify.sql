-- pgmq.enable_notify_insert(queue_name, throttle_interval_ms): notifies the channel pgmq.q_<name>.INSERT when messages are sent, at most
-- once in each interval; 0: for each message. disable_notify_insert ends it, update_notify_insert changes the interval,
-- list_notify_insert_throttles shows all of them.
create or replace function pgmq.enable_notify_insert(queue_name text, throttle_interval_ms integer default 250) returns void
language plpgsql set search_path = pg_catalog, pg_temp as $$
declare
    queue text := pgmq.format_table_name(queue_name, 'q');
begin
    if throttle_interval_ms < 0 then
        raise exception 'throttle_interval_ms must be non-negative';
    elsif not exists (select from pgmq.meta m where m.queue_name = enable_notify_insert.queue_name) then
        raise exception 'Queue "%" does not exist. Create it first using pgmq.create()', queue_name;
    end if;
    perform pgmq.disable_notify_insert(queue_name);
    insert into pgmq.notify_insert_throttle (queue_name, throttle_interval_ms) values (enable_notify_insert.queue_name,
        enable_notify_insert.throttle_interval_ms);
    execute format(
        'create constraint trigger trigger_notify_queue_insert_listeners after insert on pgmq.%I
         deferrable for each row execute function pgmq.notify_queue_listeners(%L)', queue, queue_name);
end
$$;
comment on function pgmq.enable_notify_insert(text, integer) is 'Notifies the channel pgmq.q_<name>.INSERT of messages that are sent.';

create or replace function pgmq.disable_notify_insert(queue_name text) returns void
language plpgsql set search_path = pg_catalog, pg_temp as $$
begin
    execute format('drop trigger if exists trigger_notify_queue_insert_listeners on pgmq.%I', pgmq.format_table_name(queue_name, 'q'));
    delete from pgmq.notify_insert_throttle t where t.queue_name = disable_notify_insert.queue_name;
end
$$;
comment on function pgmq.disable_notify_insert(text) is 'Ends the notifications of messages.';

create or replace function pgmq.update_notify_insert(queue_name text, throttle_interval_ms integer) returns void
language plpgsql set search_path = pg_catalog, pg_temp as $$
begin
    if throttle_interval_ms < 0 then
        raise exception 'throttle_interval_ms must be non-negative, got: %', throttle_interval_ms;
    elsif not exists (select from pgmq.meta m where m.queue_name = update_notify_insert.queue_name) then
        raise exception 'Queue "%" does not exist. Create the queue first using pgmq.create()', queue_name;
    end if;
    update pgmq.notify_insert_throttle t
    set throttle_interval_ms = update_notify_insert.throttle_interval_ms, last_notified_at = to_timestamp(0)
    where t.queue_name = update_notify_insert.queue_name;
    if not found then
        raise exception 'Queue "%" does not have notify_insert enabled. Enable it first using pgmq.enable_notify_insert()', queue_name;
    end if;
end
$$;
comment on function pgmq.update_notify_insert(text, integer) is 'Changes the interval of notifications.';

create or replace function pgmq.list_notify_insert_throttles()
returns table (queue_name text, throttle_interval_ms integer, last_notified_at timestamptz)
language sql stable set search_path = pg_catalog, pg_temp as $$
    select t.queue_name::text, t.throttle_interval_ms, t.last_notified_at from pgmq.notify_insert_throttle t order by t.queue_name
$$;
comment on function pgmq.list_notify_insert_throttles() is 'The queues whose messages are notified, and the intervals.';

-- Runs with the owner's rights, because who sends a message needs no right to the table of intervals. Only who may call it can make a
-- trigger of it, and that is the owner alone.
create or replace function pgmq.notify_queue_listeners() returns trigger
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
begin
    update pgmq.notify_insert_throttle t set last_notified_at = clock_timestamp()
    where t.queue_name = tg_argv[0] and t.throttle_interval_ms > 0
      and t.last_notified_at <= clock_timestamp() - t.throttle_interval_ms * interval '1 millisecond';
    if found or exists (select from pgmq.notify_insert_throttle t where t.queue_name = tg_argv[0] and t.throttle_interval_ms = 0) then
        perform pg_notify('pgmq.' || pgmq.format_table_name(tg_argv[0], 'q') || '.' || tg_op, null);
    end if;
    return new;
end
$$;
comment on function pgmq.notify_queue_listeners() is 'Trigger function of enable_notify_insert.';
revoke all on function pgmq.notify_queue_listeners() from public;
