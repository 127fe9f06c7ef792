-- functions_private.complete_code_move(id, target, bucket, key, bytes, source, module) -> whether the code is there now
-- Records that the code of a version is where it was to be moved, and removes it from where it is not to be. Called once the object is read
-- back and verified. False: the version is gone, or is to be moved elsewhere; the object is unwanted then.
--   bucket, key     the object that was written, or the one that was there and is right; null with the target table
--   source, module  the verified code, for a row that has none or a wrong one; null: the row's is right
create or replace function functions_private.complete_code_move(
    id uuid, target text, bucket text, key text, bytes bigint, source text, module bytea) returns boolean
language plpgsql set search_path = pg_catalog, pg_temp as $$
declare
    was record;
begin
    select v.code_move, v.code_bucket, v.code_key into was from functions_private.versions v
    where v.id = complete_code_move.id for no key update;
    if not found or was.code_move is distinct from complete_code_move.target then
        return false;
    end if;
    if complete_code_move.key is not null then
        update functions_private.code_objects o set state = 'stored'
        where o.bucket = complete_code_move.bucket and o.key = complete_code_move.key
            and (o.state = 'writing' or o.key = was.code_key);
        if not found then
            return false; -- it took so long that it was removed
        end if;
    end if;
    update functions_private.versions v
    set source = case when target = 'bucket' then null else coalesce(complete_code_move.source, v.source) end,
        module = case when target = 'bucket' then null else coalesce(complete_code_move.module, v.module) end,
        code_bucket = case when target <> 'table' then complete_code_move.bucket end,
        code_key = case when target <> 'table' then complete_code_move.key end,
        code_bytes = case when target <> 'table' then complete_code_move.bytes end,
        code_move = null, code_claimed_until = null, code_error = null
    where v.id = complete_code_move.id;
    update functions_private.code_objects o set state = 'unwanted'
    where o.bucket = was.code_bucket and o.key = was.code_key and o.key is distinct from complete_code_move.key;
    return true;
end
$$;
comment on function functions_private.complete_code_move(uuid, text, text, text, bigint, text, bytea) is
    'Records where the code of a version is, once a sidecar has verified it there.';
revoke all on function functions_private.complete_code_move(uuid, text, text, text, bigint, text, bytea) from public;
