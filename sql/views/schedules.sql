-- functions.schedules: what runs when, and how it went. state is active, disabled, held (in a copy, until functions.adopt) or finished;
-- reason says why an active schedule's runs wait.
create or replace view functions.schedules as
select s.name, s.function, s.cron, s.run_at, s.time_zone,
       case when s.held then 'held' when not s.enabled then 'disabled' when s.next_time is null then 'finished' else 'active' end as state,
       case when not f.enabled then 'The function is disabled: runs wait until it is enabled.'
            when f.active_version is null then 'The function has no version that is ready: runs wait for one.' end as reason,
       case when s.enabled and not s.held then s.next_run_at end as next_run_at,
       exists (select from functions_private.schedule_runs r where r.schedule = s.name and r.finished_at is null) as is_running,
       t.last_time, t.last_status, t.last_success_at, coalesce(t.consecutive_failures, 0) as consecutive_failures, t.last_lateness_ms,
       coalesce(s.role, v.options ->> 'role') as role, s.overlap, s.catch_up, s.catch_up_window_seconds, s.jitter_seconds, s.retries,
           s.timeout_ms,
       s.starts_at, s.ends_at, s.payload, s.created_at, s.updated_at
from functions_private.schedules s join functions_private.functions f on f.name = s.function
left join functions_private.versions v on v.function = f.name and v.version = f.active_version
left join functions_private.schedule_states t on t.schedule = s.name;
comment on view functions.schedules is 'The schedules: function, times, options, state, next run, and how the last runs went.';
