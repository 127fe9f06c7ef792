-- functions_private.has_guard() -> whether the event trigger functions_guard exists, which keeps writes from failing in the transaction
-- that changes a table
create or replace function functions_private.has_guard() returns boolean
language plpgsql stable set search_path = pg_catalog, pg_temp as $$
#variable_conflict use_column
begin
    return (
        select exists (select from pg_event_trigger e where e.evtname = 'functions_guard' and e.evtenabled in ('O', 'A'))
    );
end
$$;
comment on function functions_private.has_guard() is 'Whether the event trigger functions_guard exists and is enabled.';
revoke all on function functions_private.has_guard() from public;
