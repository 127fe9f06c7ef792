-- functions.set_env(function, key, value) sets a variable of the function. Overrides the same key of the option env. Not for secrets.
create or replace function functions.set_env(function text, key text, value text) returns void
language plpgsql set search_path = pg_catalog, functions, pg_temp as $$
begin
    perform functions_private.require_function(set_env.function);
    if key is null or key !~ '^[A-Za-z_][A-Za-z0-9_]{0,127}$' then
        raise exception '% is not a variable''s name', coalesce(to_json(left(key, 80))::text, 'null') using errcode = 'invalid_name',
            hint = 'Letters, digits and _, not starting with a digit, at most 128.';
    elsif value is null then
        raise exception 'the value of % is null', key
            using errcode = 'null_value_not_allowed', hint = 'functions.unset_env takes a variable away.';
    elsif octet_length(value) > 64 * 1024 then
        raise exception 'the value of % has % bytes; 64 KiB is the most', key, octet_length(value) using errcode = 'program_limit_exceeded';
    end if;
    insert into functions_private.environment as e (function, key, value) values (set_env.function, set_env.key, set_env.value)
    on conflict on constraint environment_pkey do update set value = excluded.value, updated_at = now();
end
$$;
comment on function functions.set_env(text, text, text) is
    'Sets a variable of a function, which reads it with env(''KEY'') or env.KEY. For secrets use functions.set_secret.';
revoke all on function functions.set_env(text, text, text) from public;
