-- functions_private.claim_code_move(lease) -> a version whose code the caller is to move, where to, and the bucket for it; null: none
-- A version that is not compiled yet is left in its row, from which it is compiled. Nothing is written to the bucket of a copy's original.
create or replace function functions_private.claim_code_move(lease interval, out id uuid, out target text, out bucket text)
language plpgsql set search_path = pg_catalog, pg_temp as $$
begin
    bucket := (select c.bucket from functions_private.code_storage c
               join functions_private.buckets b on b.name = c.bucket where not b.held);
    update functions_private.versions v set code_claimed_until = now() + lease
    where v.id = (
        select m.id from functions_private.versions m
        where m.code_move is not null and m.status <> 'pending' and (m.code_claimed_until is null or m.code_claimed_until < now())
            and (m.code_move = 'table' or claim_code_move.bucket is not null)
        order by m.created_at limit 1 for update skip locked)
    returning v.id, v.code_move into id, target;
end
$$;
comment on function functions_private.claim_code_move(interval) is 'Assigns a version to a sidecar that is to move its code.';
revoke all on function functions_private.claim_code_move(interval) from public;
