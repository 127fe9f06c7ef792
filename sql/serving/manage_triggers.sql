-- functions_serving.create_trigger, drop_trigger, follow_name: the functions of the same names with the owner's rights, for managing over
-- HTTP and for triggers that follow a name. They accept only tables that the owner owns. create_trigger takes the table's name: its caller
-- may not use the table's schema.
create or replace function functions_serving.create_trigger(trigger text, function text, "table" text, operations text[], options jsonb)
returns void
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
declare
    relation regclass := functions_private.application_table("table");
begin
    if relation is null and "table" is not null then
        raise exception 'relation "%" does not exist', "table" using errcode = 'undefined_table';
    end if;
    perform functions.create_trigger(trigger, function, relation, operations, options);
end
$$;
comment on function functions_serving.create_trigger(text, text, text, text[], jsonb) is
    'functions.create_trigger with the owner''s rights.';
revoke all on function functions_serving.create_trigger(text, text, text, text[], jsonb) from public;

create or replace function functions_serving.drop_trigger(trigger text) returns void
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
begin
    perform functions.drop_trigger(trigger);
end
$$;
comment on function functions_serving.drop_trigger(text) is 'functions.drop_trigger with the owner''s rights.';
revoke all on function functions_serving.drop_trigger(text) from public;

create or replace function functions_serving.follow_name(id integer) returns regclass
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
begin
    return functions_private.follow_name(id);
end
$$;
comment on function functions_serving.follow_name(integer) is 'functions_private.follow_name with the owner''s rights.';
revoke all on function functions_serving.follow_name(integer) from public;
