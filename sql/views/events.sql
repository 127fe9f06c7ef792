create or replace view functions.events as
select e.id, e.occurred_at, e.kind, e.trigger, e.function,
       case when l.event_id is not null then 'dead'
            when h.event_id is not null then 'held'
            when d.event_id is null then 'done'
            when d.claimed_by is not null then 'running'
            when d.attempts > 0 then 'retrying'
            else 'pending' end as status,
       coalesce(d.attempts::integer, h.attempts::integer, l.attempts) as failed_attempts,
       d.run_at, coalesce(l.error_message, d.last_error, h.last_error) as error, e.payload, e.caller ->> 'role' as role,
           e.caller ->> 'sub' as user_id, e.depth
from functions_private.events e
left join functions_private.deliveries d on d.event_id = e.id
left join functions_private.held_deliveries h on h.event_id = e.id
left join functions_private.dead_letters l on l.event_id = e.id;
comment on view functions.events is
    'Every durable event of the retention period with its status: pending, running, retrying, held, done or dead.';
