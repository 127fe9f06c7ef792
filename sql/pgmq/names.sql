-- pgmq.validate_queue_name(queue_name) raises if the name is too long for its tables and indexes.
-- pgmq.format_table_name(queue_name, prefix) -> the name of the queue's table, in lower case; raises for characters that no name has.
create or replace function pgmq.validate_queue_name(queue_name text) returns void
language plpgsql set search_path = pg_catalog, pg_temp as $$
begin
    if length(queue_name) > 47 then
        raise exception 'queue name is too long, maximum length is 47 characters';
    end if;
end
$$;
comment on function pgmq.validate_queue_name(text) is 'Raises if the name of a queue is too long.';

create or replace function pgmq.format_table_name(queue_name text, prefix text) returns text
language plpgsql set search_path = pg_catalog, pg_temp as $$
begin
    if queue_name ~ '\$|;|--|''' then
        raise exception 'queue name contains invalid characters: $, ;, --, or \''';
    end if;
    return lower(prefix || '_' || queue_name);
end
$$;
comment on function pgmq.format_table_name(text, text) is 'The name of a table of a queue: prefix q for its messages, a for its archive.';
