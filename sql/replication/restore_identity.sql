-- functions_private.restore_identity(relation) -> whether it was changed
-- Restores a table's replica identity from before the sidecar made it FULL. Not when another user has changed it since.
create or replace function functions_private.restore_identity(relation regclass) returns boolean
language plpgsql set search_path = pg_catalog, pg_temp as $$
declare
    former functions_private.known_tables;
begin
    select k.* into former from functions_private.known_tables k
    join pg_class c on c.oid = k.relation where k.relation = restore_identity.relation and c.relreplident = 'f'
        and k.former_identity <> 'f';
    if not found then
        return false;
    end if;
    if former.former_identity = 'i' and exists (
        select from pg_index i join pg_class x on x.oid = i.indexrelid
        where i.indrelid = relation and x.relname = former.former_index and i.indisunique and i.indimmediate and i.indpred is null) then
        execute format('alter table %s replica identity using index %I', relation, former.former_index);
    else
        execute format('alter table %s replica identity %s', relation, case former.former_identity when 'n' then 'nothing'
            else 'default' end);
    end if;
    return true;
end
$$;
comment on function functions_private.restore_identity(regclass) is 'Restores a table''s former replica identity; true if changed.';
revoke all on function functions_private.restore_identity(regclass) from public;
