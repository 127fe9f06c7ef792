-- Run after the function is deployed. The secret is for trying it: a real one is random, and create_webhook makes it.
set client_min_messages = warning;
select functions.create_queue('pipeline', '{"send": ["service_role"]}');
select functions.consume_queue('pipeline', 'pipeline', '{"role": "service_role", "batch_size": 20, "max_retries": 5}');
select functions.create_webhook('pipeline', 'pipeline', '{"scheme": "hmac", "role": "service_role", "secret": "a secret for trying the example"}');
