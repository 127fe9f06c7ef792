-- functions_serving.maintain_partitions(retention): functions.maintain_partitions with the owner's rights. Its shortest retention is a day.
create or replace function functions_serving.maintain_partitions(retention interval) returns integer
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
begin
    return functions.maintain_partitions(retention);
end
$$;
comment on function functions_serving.maintain_partitions(interval) is
    'Creates partitions for the next days and drops expired ones, with the owner''s rights.';
revoke all on function functions_serving.maintain_partitions(interval) from public;
