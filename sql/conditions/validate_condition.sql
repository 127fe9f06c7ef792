-- functions_private.validate_condition(option, condition, relation, example) raises an error that says what is wrong with a condition: of a
-- trigger (the option "when", over the rows old and new) or of a backfill (where_clause, over the columns). Gives the login that evaluates
-- it USAGE on the schemas of the types that it needs, where the caller may grant that.
create or replace function functions_private.validate_condition(option text, condition text, relation regclass, example text) returns void
language plpgsql set search_path = pg_catalog, pg_temp as $body$
declare
    -- Without string constants, quoted names and comments. For clear messages only: code that passes this check has no rights.
    code constant text := regexp_replace(condition,
        $re$[eE]'(?:[^'\\]|''|\\.)*'|'(?:[^']|'')*'|"(?:[^"]|"")*"|--[^\n]*|/\*.*?\*/|\$(\w*)\$.*?\$\1\$$re$, ' ', 'g');
    problem record;
    missing record;
    generated text;
    wrong text;
begin
    wrong := case
        when btrim(condition, e' \t\r\n') = '' then 'the condition is empty'
        when code ~* '^\s*(when|where|if)\M' then format('leave out the word %s', lower((regexp_match(code, '\w+'))[1]))
        when code ~ ';' then 'a condition is one expression, without a semicolon'
        when code ~ '(?<![<>=!~*/+-])==(?![<>=~])' then 'SQL compares with =, not with =='
        when functions_private.has_unmatched_parenthesis(code) then 'a parenthesis closes that was not opened'
    end;
    if wrong is not null then
        raise exception 'option %: %', option, wrong
            using errcode = 'syntax_error', hint = format('It is one SQL expression, for example: %s', example);
    end if;
    if code ~* '\m(select|values|table|with)\M' then
        raise exception 'option %: a condition can''t have a subquery', option using errcode = 'feature_not_supported',
            hint = format('It is one SQL expression, for example: %s. Leave what needs other tables to the function.', example);
    end if;
    for missing in
        select a.attname, n.nspname, n.oid as schema, format_type(a.atttypid, -1) as type
        from pg_attribute a join pg_type t on t.oid = a.atttypid join pg_namespace n on n.oid = t.typnamespace
        where a.attrelid = relation and a.attnum > 0 and not a.attisdropped and functions_private.condition_type(a.atttypid) is null
          and position(lower(a.attname) in lower(condition)) > 0
    loop
        if not has_schema_privilege(current_user, missing.schema, 'usage with grant option') then
            raise exception 'option %: column % has the type %, and the login that evaluates conditions may not use its schema.',
                option, to_json(missing.attname), missing.type
                using errcode = 'insufficient_privilege', hint = format('grant usage on schema %I to pgfn_conditions;', missing.nspname);
        end if;
        execute format('grant usage on schema %I to pgfn_conditions', missing.nspname);
    end loop;
    select * into problem from functions_private.parse_without_rights(
        case when option = 'when'
            then format(e'select from %1$s old, %1$s new where (\n%2$s\n)', functions_private.condition_row(relation), condition)
            else format(e'select from %1$s t where (\n%2$s\n)', functions_private.condition_row(relation), condition) end);
    if problem.error_code is null then
        return;
    end if;
    select a.attname into generated from pg_attribute a
    where a.attrelid = relation and a.attnum > 0 and not functions_private.is_in_wal(a.attgenerated) and not a.attisdropped
      and problem.error_code = '42703' and position(a.attname::text in problem.error_message) > 0;
    raise exception 'option %: %', option, case
            when generated is not null
                then format('column %s is generated, and logical replication does not carry generated columns', to_json(generated))
            else replace(replace(problem.error_message, 'argument of WHERE', 'the condition'), 'in WHERE', 'in a condition') end
        using errcode = problem.error_code, hint = case
            when generated is not null then 'Write the expression that the column is generated from.'
            when problem.error_code = '42702' then 'Each column needs its row: write new.x or old.x.'
            when problem.error_code = '42P01' and option = 'when' then 'The rows are old and new: write new.x or old.x.'
            when problem.error_code = '42P01' then 'Columns are named without a row: write x, not new.x.'
            when problem.error_code = '42703' and condition ~ '"'
                then 'Texts are in single quotes, names of columns in double quotes: new.status = ''paid''.'
            when problem.error_code = '42703' and option = 'when' then format('Columns are written new.x or old.x. The table has: %s.',
                (select string_agg(quote_ident(a.attname), ', ' order by a.attnum) from pg_attribute a
                 where a.attrelid = relation and a.attnum between 1 and 30 and not a.attisdropped))
            when problem.error_code = '42501' then 'Conditions are evaluated by the login pgfn_conditions, which has no rights: '
                'grant usage on schema ... to pgfn_conditions; grant execute on function ... to pgfn_conditions;'
            when problem.error_code in ('42883', '42704') then format(
                'Only pg_catalog is searched for functions, operators and types: name the schema of others, as in app.f(new.x) or '
                'new.x operator(public.=) ''y''. An example of a condition: %s', example)
            else format('It is an SQL condition, for example: %s', example) end;
end
$body$;
comment on function functions_private.validate_condition(text, text, regclass, text) is
    'Raises an error that says what is wrong with the condition of a trigger or a backfill.';
revoke all on function functions_private.validate_condition(text, text, regclass, text) from public;
