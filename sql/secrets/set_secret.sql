-- functions.set_secret(function, key, value): sets a secret of the function. Overrides a variable of the same key.
-- The value is sealed before it is stored: no table, WAL record, replica or backup holds it. The statement itself is text like any other:
-- pass the value as a parameter (psql: \getenv v MY_SECRET, then :'v'), and mind log_statement.
create or replace function functions.set_secret(function text, key text, value text) returns void
language plpgsql set search_path = pg_catalog, functions, pg_temp as $$
begin
    perform functions_private.require_function(set_secret.function);
    if key is null or key !~ '^[A-Za-z_][A-Za-z0-9_]{0,127}$' then
        raise exception '% is not a secret''s name', coalesce(to_json(left(key, 80))::text, 'null') using errcode = 'invalid_name',
            hint = 'Letters, digits and _, not starting with a digit, at most 128.';
    elsif value is null then
        raise exception 'the value of % is null', key
            using errcode = 'null_value_not_allowed', hint = 'functions.unset_secret takes a secret away.';
    elsif octet_length(value) > 64 * 1024 then
        raise exception 'the value of % has % bytes; 64 KiB is the most', key, octet_length(value) using errcode = 'program_limit_exceeded';
    end if;
    insert into functions_private.secrets as s (function, key, sealed)
    values (set_secret.function, set_secret.key, functions_private.seal_secret(set_secret.function, set_secret.key, set_secret.value))
    on conflict on constraint secrets_pkey do update set sealed = excluded.sealed, updated_at = now();
end
$$;
comment on function functions.set_secret(text, text, text) is
    'Sets a secret of a function, which reads it with env(''KEY'') or env.KEY; encrypted at rest, redacted in logs.';
revoke all on function functions.set_secret(text, text, text) from public;
