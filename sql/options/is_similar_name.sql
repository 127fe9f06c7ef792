-- functions_private.is_similar_name(given, wanted) -> whether given is likely a misspelling of wanted: equal but for case and punctuation,
-- or with one character too many, missing, wrong, or swapped with its neighbour. For "Did you mean ...?" only.
create or replace function functions_private.is_similar_name(given text, wanted text) returns boolean
language sql immutable set search_path = pg_catalog, pg_temp as $$
    with words as (
        select lower(regexp_replace(left(given, 64), '[^[:alnum:]]', '', 'g')) as g,
            lower(regexp_replace(left(wanted, 64), '[^[:alnum:]]', '', 'g')) as w
    )
    select g <> '' and (g = w or length(w) > 2 and abs(length(g) - length(w)) <= 1 and exists (
        select from generate_series(1, greatest(length(g), length(w))) i
        where left(g, i - 1) = left(w, i - 1)
          and (substr(g, i + 1) in (substr(w, i), substr(w, i + 1)) or substr(g, i) = substr(w, i + 1)
               or substr(g, i, 1) = substr(w, i + 1, 1) and substr(g, i + 1, 1) = substr(w, i, 1) and substr(g, i + 2) = substr(w, i + 2))))
    from words
$$;
comment on function functions_private.is_similar_name(text, text) is 'Whether one name is likely a misspelling of the other.';
revoke all on function functions_private.is_similar_name(text, text) from public;
