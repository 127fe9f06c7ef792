-- functions_private.grant_vector_table(name, readers, writers): gives the roles of functions exactly these rights to a vector index.
-- A role that may write may also read, as an upsert must. Grants to other roles of the database stay.
create or replace function functions_private.grant_vector_table(name text, readers text[], writers text[]) returns void
language plpgsql set search_path = pg_catalog, pg_temp as $$
declare
    one record;
    extension name := functions_private.pgvector_schema();
begin
    for one in select r.role, r.role = any (readers || writers || 'service_role'::text) as reads,
        r.role = any (writers || 'service_role'::text) as writes from functions_private.roles r
    loop
        execute format('revoke all on functions_vectors.%I from %I', name, one.role);
        if one.reads then
            execute format('grant usage on schema functions_vectors to %I', one.role);
            -- A search names pgvector's operators. The schema is the application's, so its rights are not changed here.
            if not has_schema_privilege(one.role, extension, 'usage') then
                raise exception 'The role % may not use the schema %, in which pgvector is.', to_json(one.role), to_json(extension)
                    using errcode = 'insufficient_privilege', hint = format('grant usage on schema %I to %I;', extension, one.role);
            end if;
            execute format('grant select on functions_vectors.%I to %I', name, one.role);
        end if;
        if one.writes then
            execute format('grant insert, update, delete on functions_vectors.%I to %I', name, one.role);
        end if;
    end loop;
end
$$;
comment on function functions_private.grant_vector_table(text, text[], text[]) is
    'Gives the roles of functions exactly these rights to a vector index.';
revoke all on function functions_private.grant_vector_table(text, text[], text[]) from public;
