-- functions_private.create_condition(id, version, relation, condition) makes functions_private.condition_<id>_<version>(old, new), which
-- evaluates a trigger's "when". Old and new come as objects of the values' texts. The body names the table, but does not depend on it: the table
-- can still be dropped.
create or replace function functions_private.create_condition(id integer, version integer, relation regclass, condition text) returns void
language plpgsql set search_path = pg_catalog, pg_temp as $$
declare
    name text := format('condition_%s_%s', id, version);
begin
    if condition is null then
        return;
    end if;
    execute format($f$
        create or replace function functions_private.%I(old_row jsonb, new_row jsonb) returns boolean
        language plpgsql set search_path = pg_catalog, %I, public, pg_temp as %L
        $f$,
        name,
        (select c.relnamespace::regnamespace::text from pg_class c where c.oid = relation),
        format(e'declare old %1$s; new %1$s;\nbegin\n'
               '    old := jsonb_populate_record(null::%1$s, old_row);\n    new := jsonb_populate_record(null::%1$s, new_row);\n'
               '    return (\n%2$s\n    );\nend', functions_private.qualified_name(relation), condition));
    execute format('revoke all on function functions_private.%I(jsonb, jsonb) from public', name);
    -- Parsed and planned now, so that a mistake is the creator's to see.
    execute format('select functions_private.%I(null, null)', name);
exception when syntax_error or undefined_column or undefined_function or undefined_table or datatype_mismatch or undefined_object
            or ambiguous_column or indeterminate_datatype or invalid_text_representation or cannot_coerce then
    raise exception 'option when: %', sqlerrm using errcode = sqlstate,
        hint = 'It is an SQL condition over the rows old and new, for example: new.status is distinct from old.status';
end
$$;
comment on function functions_private.create_condition(integer, integer, regclass, text) is 'Makes the function that evaluates a trigger''s condition.';
revoke all on function functions_private.create_condition(integer, integer, regclass, text) from public;
