-- Run once the function is deployed. On a server whose wal_level is not logical there is nothing to be fired by.
set client_min_messages = warning;
select functions.create_trigger('welcome', 'welcome', 'examples.members', '{INSERT}', '{"order_by": "email"}')
where current_setting('wal_level') = 'logical';
