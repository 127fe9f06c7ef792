create or replace view functions.ai_grants as
select g.role, g.granted_at from functions_private.ai_grants g;
comment on view functions.ai_grants is 'The roles whose tokens may use models over HTTP, besides service_role.';
