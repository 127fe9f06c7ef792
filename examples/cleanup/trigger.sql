-- Run after the function is deployed.
set client_min_messages = warning;
select functions.schedule('cleanup', 'cleanup', '*/5 * * * *', '{"role": "service_role"}');
