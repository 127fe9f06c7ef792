-- functions_serving.create_queue, drop_queue, consume_queue, stop_consuming: the functions of the same names with the owner's rights, for
-- managing over HTTP and for dead letter queues.
create or replace function functions_serving.create_queue(queue text, options jsonb default '{}') returns void
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
begin
    perform functions.create_queue(queue, options);
end
$$;
comment on function functions_serving.create_queue(text, jsonb) is 'functions.create_queue with the owner''s rights.';
revoke all on function functions_serving.create_queue(text, jsonb) from public;

create or replace function functions_serving.drop_queue(queue text) returns void
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
begin
    perform functions.drop_queue(queue);
end
$$;
comment on function functions_serving.drop_queue(text) is 'functions.drop_queue with the owner''s rights.';
revoke all on function functions_serving.drop_queue(text) from public;

create or replace function functions_serving.consume_queue(queue text, function text, options jsonb) returns void
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
begin
    perform functions.consume_queue(queue, function, options);
end
$$;
comment on function functions_serving.consume_queue(text, text, jsonb) is 'functions.consume_queue with the owner''s rights.';
revoke all on function functions_serving.consume_queue(text, text, jsonb) from public;

create or replace function functions_serving.stop_consuming(queue text) returns void
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
begin
    perform functions.stop_consuming(queue);
end
$$;
comment on function functions_serving.stop_consuming(text) is 'functions.stop_consuming with the owner''s rights.';
revoke all on function functions_serving.stop_consuming(text) from public;
