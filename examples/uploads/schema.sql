-- The bucket of the users' files: each user has the keys that begin with their own id.
set client_min_messages = warning;
select functions.create_bucket('uploads', '{"owner": true, "max_object_bytes": 10000000, "policies": [
  {"role": "authenticated", "prefix": "{sub}/", "rights": ["read", "write", "list", "delete"]}]}');
