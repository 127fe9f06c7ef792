-- functions_serving.end_reader(pid): functions_private.end_reader with the owner's rights. It ends the reader of this database's slot only.
create or replace function functions_serving.end_reader(pid integer) returns void
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
begin
    perform functions_private.end_reader(pid);
end
$$;
comment on function functions_serving.end_reader(integer) is
    'Ends the session that reads this database''s replication slot, with the owner''s rights.';
revoke all on function functions_serving.end_reader(integer) from public;
