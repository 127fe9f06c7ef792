create or replace view functions.dead_letters as
select event_id as id, died_at, kind, trigger, function, attempts, error_code, error_message, payload, caller ->> 'role' as role,
       caller ->> 'sub' as user_id, depth, occurred_at
from functions_private.dead_letters;
comment on view functions.dead_letters is 'Events that failed after their last attempt. Kept until functions.redrive or functions.discard.';
