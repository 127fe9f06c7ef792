-- Topics: pgmq.bind_topic(pattern, queue_name) sends every message of a routing key that matches the pattern to a queue as well.
-- In a pattern, * stands for one segment between dots, and # for any characters. unbind_topic -> whether there was such a binding.
create or replace function pgmq.validate_routing_key(routing_key text) returns boolean
language plpgsql immutable set search_path = pg_catalog, pg_temp as $$
begin
    if coalesce(routing_key, '') = '' then
        raise exception 'routing_key cannot be NULL or empty';
    elsif length(routing_key) > 255 then
        raise exception 'routing_key length cannot exceed 255 characters, got % characters', length(routing_key);
    elsif routing_key !~ '^[a-zA-Z0-9._-]+$' then
        raise exception 'routing_key contains invalid characters. Only alphanumeric, dots, hyphens, and underscores are allowed. Got: %',
            routing_key;
    elsif routing_key ~ '^\.|\.$' then
        raise exception 'routing_key cannot start or end with a dot. Got: %', routing_key;
    elsif routing_key ~ '\.\.' then
        raise exception 'routing_key cannot contain consecutive dots. Got: %', routing_key;
    end if;
    return true;
end
$$;
comment on function pgmq.validate_routing_key(text) is 'Raises unless a text is a routing key.';

create or replace function pgmq.validate_topic_pattern(pattern text) returns boolean
language plpgsql immutable set search_path = pg_catalog, pg_temp as $$
begin
    if coalesce(pattern, '') = '' then
        raise exception 'pattern cannot be NULL or empty';
    elsif length(pattern) > 255 then
        raise exception 'pattern length cannot exceed 255 characters, got % characters', length(pattern);
    elsif pattern !~ '^[a-zA-Z0-9._*#-]+$' then
        raise exception 'pattern contains invalid characters. Only alphanumeric, dots, hyphens, underscores, *, and # are allowed. Got: %',
            pattern;
    elsif pattern ~ '^\.|\.$' then
        raise exception 'pattern cannot start or end with a dot. Got: %', pattern;
    elsif pattern ~ '\.\.' then
        raise exception 'pattern cannot contain consecutive dots. Got: %', pattern;
    elsif pattern ~ '[*#][*#]' then
        raise exception 'pattern cannot contain adjacent wildcards (**, ##, *#, #*). Got: %', pattern;
    end if;
    return true;
end
$$;
comment on function pgmq.validate_topic_pattern(text) is 'Raises unless a text is a pattern of routing keys.';

create or replace function pgmq.bind_topic(pattern text, queue_name text) returns void
language plpgsql set search_path = pg_catalog, pg_temp as $$
begin
    perform pgmq.validate_topic_pattern(pattern);
    if coalesce(queue_name, '') = '' then
        raise exception 'queue_name cannot be NULL or empty';
    elsif not exists (select from pgmq.meta m where m.queue_name = bind_topic.queue_name) then
        raise exception 'Queue "%" does not exist. Create the queue first using pgmq.create()', queue_name;
    end if;
    insert into pgmq.topic_bindings (pattern, queue_name) values (bind_topic.pattern, bind_topic.queue_name) on conflict do nothing;
end
$$;
comment on function pgmq.bind_topic(text, text) is 'Sends messages of matching routing keys to a queue.';

create or replace function pgmq.unbind_topic(pattern text, queue_name text) returns boolean
language plpgsql set search_path = pg_catalog, pg_temp as $$
begin
    delete from pgmq.topic_bindings b where b.pattern = unbind_topic.pattern and b.queue_name = unbind_topic.queue_name;
    return found;
end
$$;
comment on function pgmq.unbind_topic(text, text) is 'Removes a binding; false if there is none.';

create or replace function pgmq.list_topic_bindings() returns setof pgmq.topic_binding
language sql stable set search_path = pg_catalog, pg_temp as $$
    select b.pattern, b.queue_name, b.bound_at, b.compiled_regex from pgmq.topic_bindings b
    order by b.bound_at desc, b.pattern, b.queue_name
$$;
comment on function pgmq.list_topic_bindings() is 'All bindings, the newest first.';

create or replace function pgmq.list_topic_bindings(queue_name text) returns setof pgmq.topic_binding
language sql stable set search_path = pg_catalog, pg_temp as $$
    select b.pattern, b.queue_name, b.bound_at, b.compiled_regex from pgmq.topic_bindings b
    where b.queue_name = $1 order by b.bound_at desc, b.pattern
$$;
comment on function pgmq.list_topic_bindings(text) is 'The bindings of a queue, the newest first.';

create or replace function pgmq.test_routing(routing_key text) returns table (pattern text, queue_name text, compiled_regex text)
language plpgsql stable set search_path = pg_catalog, pg_temp as $$
begin
    perform pgmq.validate_routing_key(routing_key);
    return query select b.pattern, b.queue_name, b.compiled_regex from pgmq.topic_bindings b
        where routing_key ~ b.compiled_regex order by b.pattern;
end
$$;
comment on function pgmq.test_routing(text) is 'The bindings that a routing key matches.';
