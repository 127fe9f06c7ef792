-- functions_private.describe_error({message, file, line, column, stack}) -> "file:line:column: message", as far as it is known.
create or replace function functions_private.describe_error(error jsonb) returns text
language sql immutable set search_path = pg_catalog, pg_temp as $$
    select concat(nullif(concat_ws(':', error ->> 'file', error ->> 'line', error ->> 'column') || ': ', ': '),
                  coalesce(error ->> 'message', 'the version did not compile'))
$$;
comment on function functions_private.describe_error(jsonb) is 'A compile error as one line: file:line:column: message.';
revoke all on function functions_private.describe_error(jsonb) from public;
