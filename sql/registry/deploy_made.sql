-- functions_private.deploy_made(name, source, options): deploys a function that the sidecar itself makes (a trigger's URL, an embedding),
-- unless its latest version has this source already.
create or replace function functions_private.deploy_made(name text, source text, options jsonb) returns void
language plpgsql set search_path = pg_catalog, functions, pg_temp as $$
begin
    -- The source itself may be in a bucket.
    if sha256(convert_to(deploy_made.source, 'UTF8')) is distinct from (select v.source_hash from functions_private.versions v
        where v.function = deploy_made.name order by v.version desc limit 1)
    then
        perform functions.deploy(deploy_made.name, deploy_made.source, options => deploy_made.options);
    end if;
end
$$;
comment on function functions_private.deploy_made(text, text, jsonb) is
    'Deploys a function that the sidecar itself makes, unless its latest version has this source already.';
revoke all on function functions_private.deploy_made(text, text, jsonb) from public;
