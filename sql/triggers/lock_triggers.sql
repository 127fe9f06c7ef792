-- functions_private.lock_triggers() takes the lock for creating, changing and dropping triggers, which one transaction can hold at a time.
-- Waits at most 5 s; after that the error lists the transactions that hold it.
create or replace function functions_private.lock_triggers() returns void
language plpgsql set search_path = pg_catalog, pg_temp set lock_timeout = '5s' as $$
begin
    lock table functions_private.triggers in share row exclusive mode;
exception when lock_not_available then
    raise exception 'Triggers can''t be changed at the moment: another transaction has changed some, and did not end within 5 s.'
        using errcode = 'lock_not_available', detail = functions_private.lock_holders(null),
              hint = 'Try again when it has ended, or end it: select pg_terminate_backend(pid);';
end
$$;
comment on function functions_private.lock_triggers() is 'Takes the lock for changing triggers; waits at most 5 s.';
revoke all on function functions_private.lock_triggers() from public;
