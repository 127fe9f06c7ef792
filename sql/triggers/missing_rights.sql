-- functions_private.missing_rights(function, relation, role, condition) -> the rights that a trigger's function or condition lacks, a row
-- each, with the statement that grants the right. Rights that the function's own code needs are unknown and left out.
--   role  the option of the trigger, or null: then the function's role, or, where it has none, every role that it may run as
create or replace function functions_private.missing_rights(function text, relation regclass, role text, condition text)
returns table (problem text, remedy text)
language sql stable set search_path = pg_catalog, pg_temp as $body$
    with place as (
        select n.oid, n.nspname from pg_class c join pg_namespace n on n.oid = c.relnamespace where c.oid = missing_rights.relation
    ), fixed as (
        select coalesce(missing_rights.role, (select v.options ->> 'role' from functions_private.functions f
            join functions_private.versions v on v.function = f.name and v.version = f.active_version
                where f.name = missing_rights.function)) as name
    ), runs_as as (
        select r.role::name as name from functions_private.roles r, fixed f
        where to_regrole(quote_ident(r.role)) is not null
            and (r.role = f.name or f.name is null and r.role in ('anon', 'authenticated', 'service_role'))
    ), called as (
        -- Without string constants, quoted names and comments.
        select distinct lower(m[1]) as schema, lower(m[2]) as name
        from regexp_replace(missing_rights.condition,
                $re$[eE]'(?:[^'\\]|''|\\.)*'|'(?:[^']|'')*'|"(?:[^"]|"")*"|--[^\n]*|/\*.*?\*/|\$(\w*)\$.*?\$\1\$$re$, ' ', 'g') code,
             regexp_matches(code, '(\w+)\s*\.\s*(\w+)\s*\(', 'g') m
    ), operators as (
        select distinct lower(m[1]) as schema, m[2] as name
        from regexp_matches(missing_rights.condition, 'operator\s*\(\s*(\w+)\s*\.\s*([^\s\w)]+)\s*\)', 'gi') m
    ), code as (
        select p.oid, c.schema || '.' || c.name as name from called c join pg_namespace n on n.nspname = c.schema
            join pg_proc p on p.pronamespace = n.oid and p.proname = c.name
        union all
        select o.oprcode::oid, format('operator(%s.%s)', c.schema, c.name)
        from operators c join pg_namespace n on n.nspname = c.schema join pg_operator o on o.oprnamespace = n.oid and o.oprname = c.name
    )
    select format('%s no USAGE on the schema of %s: a function that runs so can''t ask for its rows.',
               case count(*) when 1 then format('Role %s has', min(r.name))
                   else format('The roles %s have', string_agg(r.name, ', ' order by r.name)) end, missing_rights.relation),
           format('grant usage on schema %I to %s; and what the function does with its tables.', p.nspname,
               string_agg(quote_ident(r.name), ', ' order by r.name))
    from place p cross join runs_as r where not has_schema_privilege(r.name, p.oid, 'usage')
    group by p.nspname
    union all
    -- Of several functions with one name, one that may be executed is enough: which one is meant is unknown here.
    select format('The login that evaluates conditions may not execute %s: every event would become a dead letter (CONDITION_FAILED).',
        c.name),
           format('grant execute on function %s to pgfn_conditions;', string_agg(c.oid::regprocedure::text, ', ' order by c.oid))
    from code c group by c.name
    having to_regrole('pgfn_conditions') is not null and not bool_or(has_function_privilege('pgfn_conditions', c.oid, 'execute'))
$body$;
comment on function functions_private.missing_rights(text, regclass, text, text) is
    'The rights that a trigger''s function or condition lacks, each with the statement that grants it.';
revoke all on function functions_private.missing_rights(text, regclass, text, text) from public;
