-- Run after the function is deployed. Triggers need a server with wal_level = logical.
set client_min_messages = warning;
select functions.create_trigger('welcome', 'welcome', 'examples.members', '{INSERT}', '{"order_by": "email"}')
where current_setting('wal_level') = 'logical';
