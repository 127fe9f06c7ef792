-- functions.schedule_runs: one row for each time at which a schedule was due. status is pending, running, retrying, succeeded, failed,
-- skipped, missed or cancelled; reason says why for the last three. lateness_ms is from when it was due until the function began.
create or replace view functions.schedule_runs as
select r.schedule, r.scheduled_time,
       case when r.status <> 'pending' then r.status when h.event_id is not null then 'held' when d.claimed_by is not null then 'running'
            when d.attempts > 0 then 'retrying' else 'pending' end as status,
       r.reason, r.cause, r.times, r.fired_at, r.started_at, r.finished_at, extract(epoch
           from r.started_at - r.due_at) * 1000 as lateness_ms,
       r.attempts, r.error_code, r.error_message, r.function, r.event_id
from functions_private.schedule_runs r left join functions_private.deliveries d on d.event_id = r.event_id
left join functions_private.held_deliveries h on h.event_id = r.event_id;
comment on view functions.schedule_runs is
    'The runs of schedules, also those that were skipped or missed, with the reason. Kept for PGFN_LOG_RETENTION_DAYS.';
