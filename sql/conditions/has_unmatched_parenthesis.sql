-- functions_private.has_unmatched_parenthesis(code) -> whether a closing parenthesis has no opening one before it. The text must be without
-- strings and comments.
create or replace function functions_private.has_unmatched_parenthesis(code text) returns boolean
language sql immutable set search_path = pg_catalog, pg_temp as $$
    select coalesce(bool_or(d.depth < 0), false)
    from (select sum(case c when '(' then 1 when ')' then -1 else 0 end) over (order by n) as depth
          from regexp_split_to_table(code, '') with ordinality s (c, n) where c in ('(', ')')) d
$$;
comment on function functions_private.has_unmatched_parenthesis(text) is
    'Whether a closing parenthesis in the text has no opening one before it.';
revoke all on function functions_private.has_unmatched_parenthesis(text) from public;
