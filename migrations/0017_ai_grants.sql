-- The roles whose tokens may use models over HTTP, besides service_role.

create table functions_private.ai_grants (
    role       text primary key,
    granted_at timestamptz not null default now()
);
