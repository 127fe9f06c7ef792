-- Run after the function is deployed. The secret is for trying it: a real one is random, and create_webhook makes it.
select functions.create_webhook('payments', 'payments',
  '{"scheme": "hmac", "role": "service_role", "secret": "a secret for trying the example"}');
