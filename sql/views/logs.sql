create or replace view functions.logs as
select logged_at, function, level, message, source, invocation_id, seq
from functions_private.logs;
comment on view functions.logs is
    'Lines that functions wrote with console and log. The last ones: select * from functions.logs order by logged_at desc limit 20.';
