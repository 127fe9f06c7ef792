create or replace view functions.ai_routes as
select r.pattern as name, r.targets, r.roles, r.created_at, r.updated_at
from functions_private.ai_routes r;
comment on view functions.ai_routes is 'Which providers answer for a model''s name, in the order in which they are tried.';
