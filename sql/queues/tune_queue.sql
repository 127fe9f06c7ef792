-- functions_private.tune_queue(queue): settings of a queue's table, whose rows live for moments: vacuum early, and without pauses.
create or replace function functions_private.tune_queue(queue text) returns void
language plpgsql set search_path = pg_catalog, pg_temp as $$
begin
    execute format('alter table pgmq.%I set (fillfactor = 70, autovacuum_vacuum_scale_factor = 0.02, autovacuum_vacuum_cost_delay = 0,
        autovacuum_vacuum_threshold = 1000)', pgmq.format_table_name(queue, 'q'));
end
$$;
comment on function functions_private.tune_queue(text) is 'Settings of a queue''s table.';
revoke all on function functions_private.tune_queue(text) from public;
