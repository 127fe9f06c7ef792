-- functions_private.make_partition(parent, day) -> whether it was created
-- Creates the partition of one UTC day of functions_private.invocations, .logs, .ai_calls or .events unless it exists. It is created as a
-- table and then attached: that needs no exclusive lock on the parent, so reads and writes go on. The lock on the parent makes concurrent
-- callers take turns.
create or replace function functions_private.make_partition(parent text, day date) returns boolean
language plpgsql set search_path = pg_catalog, pg_temp as $$
declare
    partition text := format('%s_%s', parent, to_char(day, 'YYYYMMDD'));
begin
    if to_regclass('functions_private.' || partition) is not null then
        return false;
    end if;
    execute format('lock table functions_private.%I in share update exclusive mode', parent);
    if to_regclass('functions_private.' || partition) is not null then
        return false; -- another sidecar created it while this one waited
    end if;
    execute format('create table functions_private.%I (like functions_private.%I including all)', partition, parent);
    if not exists (select from pg_index i where i.indrelid = format('functions_private.%I', partition)::regclass and i.indisprimary) then
        -- Without it, DELETE fails under a user's publication FOR ALL TABLES.
        execute format('alter table functions_private.%I replica identity full', partition);
    end if;
    execute format('alter table functions_private.%I attach partition functions_private.%I for values from (%L) to (%L)',
        parent, partition, day || ' 00:00:00+00', (day + 1) || ' 00:00:00+00');
    return true;
end
$$;
comment on function functions_private.make_partition(text, date) is
    'Creates the partition of one UTC day of invocations, logs, ai_calls or events unless it exists; true if created.';
revoke all on function functions_private.make_partition(text, date) from public;
