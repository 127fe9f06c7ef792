-- functions_private.require_bucket(bucket) raises unless it exists; locks it until the end of the transaction.
create or replace function functions_private.require_bucket(bucket text) returns void
language plpgsql set search_path = pg_catalog, pg_temp as $$
begin
    perform from functions_private.buckets b where b.name = require_bucket.bucket for update;
    if not found then
        perform functions_private.raise_missing('bucket', bucket, array(select b.name from functions_private.buckets b));
    end if;
end
$$;
comment on function functions_private.require_bucket(text) is 'Raises unless a bucket exists; locks it.';
revoke all on function functions_private.require_bucket(text) from public;
