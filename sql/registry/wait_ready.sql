-- call functions.wait_ready(name, version, timeout)
-- Returns when the version (the latest when null) is compiled; raises its error as "file:line:column: message" when it does not compile,
-- and query_canceled after the timeout. Must run outside the transaction that deployed: a sidecar sees what is committed.
create or replace procedure functions.wait_ready(name text, version integer default null, timeout interval default '30 seconds')
language plpgsql set search_path = pg_catalog, functions, pg_temp as $$
declare
    wanted integer := version;
    current record;
    give_up timestamptz := clock_timestamp() + timeout;
    pause double precision := 0.005;
begin
    perform from functions_private.functions f where f.name = wait_ready.name;
    if not found then
        perform functions_private.raise_missing('function', name, array(select f.name from functions_private.functions f));
    end if;
    if current_setting('transaction_isolation') <> 'read committed' then
        raise exception 'wait_ready needs a transaction at read committed: at % it would never see the sidecar''s answer',
            current_setting('transaction_isolation') using errcode = 'invalid_transaction_state';
    end if;
    if wanted is null then
        select max(v.version) into wanted from functions_private.versions v where v.function = wait_ready.name;
    end if;

    loop
        select v.status, v.error, v.xmin = pg_current_xact_id_if_assigned()::xid as uncommitted into current
        from functions_private.versions v where v.function = wait_ready.name and v.version = wanted;
        if not found then
            raise exception 'Function % has no version %.', to_json(name), wanted using errcode = 'undefined_object';
        elsif current.status = 'ready' then
            return;
        elsif current.status = 'failed' then
            raise exception '%', functions_private.describe_error(current.error) using errcode = 'syntax_error',
                detail = coalesce(current.error ->> 'stack', ''), hint = format('Version %s of %s was not activated.', wanted, name);
        elsif current.uncommitted then
            raise exception 'Version % of % is not committed yet; a sidecar compiles what is committed.', wanted, name
                using errcode = 'invalid_transaction_state', hint = 'Commit, then call functions.wait_ready.';
        elsif clock_timestamp() >= give_up then
            raise exception 'Version % of % was not compiled within %.', wanted, name, timeout using errcode = 'query_canceled',
                hint = case when current.error is not null then functions_private.describe_error(current.error)
                    when exists (select from functions.sidecars s where s.alive)
                    then 'A sidecar is running; it may be busy. See its log, and functions.versions.'
                    else 'No sidecar serves this database at the moment. Start one with its DATABASE_URL.' end;
        end if;
        perform pg_sleep(least(pause, greatest(extract(epoch from give_up - clock_timestamp()), 0)));
        pause := least(pause * 1.5, 0.1);
    end loop;
end
$$;
comment on procedure functions.wait_ready(text, integer, interval) is
    'Waits until a version (the latest by default) is compiled; raises its compile error.';
revoke all on procedure functions.wait_ready(text, integer, interval) from public;
