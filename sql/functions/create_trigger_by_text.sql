-- functions.create_trigger(trigger, function, table, operations text, options): the same for operations that come as text, as every literal does. '{INSERT}' is
-- taken for the array that it is; 'INSERT' is answered with that form, where the server would say "malformed array literal".
create or replace function functions.create_trigger(trigger text, function text, "table" regclass, operations text, options jsonb default '{}')
returns void
language plpgsql set search_path = pg_catalog, functions, pg_temp as $$
begin
    if operations is not null and operations !~ '^\s*\{.*\}\s*$' then
        raise exception 'operations is an array: write %, not %',
                quote_literal('{' || upper(regexp_replace(trim(operations), '\s*(,|\mor\M|\mand\M|;)\s*', ',', 'gi')) || '}'), quote_literal(left(operations, 60))
            using errcode = 'invalid_parameter_value', hint = 'Operations are INSERT, UPDATE, DELETE and TRUNCATE.';
    end if;
    perform functions.create_trigger(trigger, function, "table", operations::text[], options);
end
$$;
comment on function functions.create_trigger(text, text, regclass, text, jsonb) is 'The same for operations that come as text: ''{INSERT,UPDATE}''.';
revoke all on function functions.create_trigger(text, text, regclass, text, jsonb) from public;
