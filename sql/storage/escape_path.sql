-- functions_private.escape_path(path): a text as a path of a URL: everything but letters, digits, -, ., _, ~ and / is escaped.
create or replace function functions_private.escape_path(path text) returns text
language sql immutable strict parallel safe set search_path = pg_catalog, pg_temp as $$
    select string_agg(case when p.part ~ '^[A-Za-z0-9._~/-]$' then p.part
        else regexp_replace(upper(encode(convert_to(p.part, 'UTF8'), 'hex')), '(..)', '%\1', 'g') end, '' order by p.ordinality)
    from regexp_split_to_table(path, '') with ordinality p (part, ordinality)
$$;
comment on function functions_private.escape_path(text) is 'A text as a path of a URL.';
revoke all on function functions_private.escape_path(text) from public;
