-- functions_private.expire_schedule_runs(retention, most) -> how many records of ended runs that are older were deleted, at most so many
-- Several sidecars may call it at once.
create or replace function functions_private.expire_schedule_runs(retention interval, most integer) returns integer
language plpgsql set search_path = pg_catalog, pg_temp as $$
declare
    deleted integer;
begin
    delete from functions_private.schedule_runs r
    where (r.schedule, r.scheduled_time) in (
        select o.schedule, o.scheduled_time from functions_private.schedule_runs o
        where o.fired_at < now() - retention and o.finished_at is not null
        order by o.fired_at limit most for update skip locked);
    get diagnostics deleted = row_count;
    if deleted < most then
        delete from functions_private.schedule_states s
        where not exists (select from functions_private.schedules d where d.name = s.schedule)
          and not exists (select from functions_private.schedule_runs r where r.schedule = s.schedule);
    end if;
    return deleted;
end
$$;
comment on function functions_private.expire_schedule_runs(interval, integer) is
    'Deletes records of ended runs that are older than the retention; returns how many.';
revoke all on function functions_private.expire_schedule_runs(interval, integer) from public;
