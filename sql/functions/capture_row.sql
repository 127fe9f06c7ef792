-- functions_private.capture_row(): the row trigger of partitions that have been attached and not been given their statement trigger yet. Does
-- for every row what functions_private.capture_context() does for a statement; see there for how it is written.
-- Everybody's: who makes a partition of a table that is theirs gives it this trigger by that. It can't be called, nor named without the schema.
create or replace function functions_private.capture_row() returns trigger
language plpgsql security definer as $$
begin
    if pg_catalog.current_setting('role') operator(pg_catalog.<>) 'none'
       or pg_catalog.current_setting('is_superuser') operator(pg_catalog.<>) 'on' and session_user operator(pg_catalog.<>) current_user then
        perform functions_private.write_context();
    end if;
    if tg_op operator(pg_catalog.=) 'DELETE' then
        return old;
    end if;
    return new;
end
$$;
comment on function functions_private.capture_row() is 'Trigger: capture_context() for the rows of partitions that are new.';
grant execute on function functions_private.capture_row() to public;
