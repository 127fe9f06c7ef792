-- Run after the function is deployed.
set client_min_messages = warning;
select functions.create_queue('emails', '{"send": ["anon", "authenticated"]}');
select functions.consume_queue('emails', 'emails', '{"role": "service_role", "max_retries": 3, "dead_letter_queue": "emails-dead"}');
