-- Run after the function is deployed. The secret is for trying it: a real one is random, and create_webhook makes it.
set client_min_messages = warning;
select functions.create_webhook('bot', 'bot', '{"scheme": "hmac", "role": "service_role", "secret": "a secret for trying the example"}');
select functions.create_queue('bot-replies', '{"send": ["service_role"]}');
