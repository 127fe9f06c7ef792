-- functions.create_trigger(trigger, function, table, operations text, options): for operations passed as text, as every literal is.
-- '{INSERT}' is read as the array; for 'INSERT' the error shows that form, where the server would only say "malformed array literal".
create or replace function functions.create_trigger(trigger text, function text, "table" regclass, operations text,
    options jsonb default '{}')
returns void
language plpgsql set search_path = pg_catalog, functions, pg_temp as $$
declare
    known text;
    is_array boolean := true;
begin
    if operations ~ '^\s*\{\s*"[^"]*"\s*:' then
        raise exception 'operations comes before the options, and is missing' using errcode = 'invalid_parameter_value',
            hint = 'Write create_trigger(trigger, function, table, ''{INSERT,UPDATE}'', options), or name the argument: options => ''{...}''.';
    end if;
    begin
        perform operations::text[];
    exception when data_exception then
        is_array := false;
    end;
    if not is_array then
        select coalesce(string_agg(upper(m[1]), ','), 'INSERT,UPDATE,DELETE') into known
        from regexp_matches(operations, '\m(insert|update|delete|truncate)\M', 'gi') m;
        raise exception 'operations is an array: write %, not %', quote_literal('{' || known || '}'), quote_literal(left(operations, 60))
            using errcode = 'invalid_parameter_value', hint = 'Operations are INSERT, UPDATE, DELETE and TRUNCATE.'
                || case when operations ~* '\mof\M' then ' For an UPDATE of some columns there is the option columns.' else '' end;
    end if;
    perform functions.create_trigger(trigger, function, "table", operations::text[], options);
end
$$;
comment on function functions.create_trigger(text, text, regclass, text, jsonb) is 'The same with operations as text: ''{INSERT,UPDATE}''.';
revoke all on function functions.create_trigger(text, text, regclass, text, jsonb) from public;
