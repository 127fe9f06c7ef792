-- functions_private.capture_row(): row trigger of attached partitions that have no statement trigger yet. Does for every row what
-- functions_private.capture_context() does for a statement; that file explains how it is written.
-- Executable by PUBLIC: a user who creates a partition of an own table gives it this trigger. It can't be called directly.
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
comment on function functions_private.capture_row() is 'Trigger: as capture_context(), for rows of new partitions.';
grant execute on function functions_private.capture_row() to public;
