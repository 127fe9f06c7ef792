-- functions_private.redeploy_made(): gives the functions that the sidecar itself makes the source of this release. After an upgrade.
create or replace function functions_private.redeploy_made() returns void
language plpgsql set search_path = pg_catalog, functions, pg_temp as $$
begin
    perform functions_private.deploy_made(f.name, functions_private.url_target_source(), '{}')
    from functions_private.functions f where f.url_target order by f.name;
    perform functions_private.deploy_made(e.name, functions_private.embedding_source(), '{}')
    from functions_private.embeddings e order by e.name;
end
$$;
comment on function functions_private.redeploy_made() is
    'Gives the functions that the sidecar itself makes the source of this release.';
revoke all on function functions_private.redeploy_made() from public;
