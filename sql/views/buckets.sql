create or replace view functions.buckets as
select b.name, b.code, b.s3, b.held, b.public, b.owned as owner, case when b.s3 is null then o.objects end as objects,
    case when b.s3 is null then coalesce(u.bytes, 0) end as bytes, case when b.s3 is null then b.max_bytes end as max_bytes,
    b.max_object_bytes, p.policies, b.created_at, b.updated_at
from functions_private.buckets b
left join lateral (select count(*) as objects from functions_private.objects x where x.bucket = b.name) o on true
left join lateral (select sum(x.bytes)::bigint as bytes from functions_private.bucket_usage x where x.bucket = b.name) u on true
left join lateral (
    select jsonb_agg(jsonb_build_object('role', x.role, 'prefix', x.prefix, 'rights', x.rights) order by x.role, x.prefix) as policies
    from functions_private.bucket_policies x where x.bucket = b.name) p on true;
comment on view functions.buckets is
    'The buckets of functions: how much is in them (bytes: with what waits to be removed), their limits, and who may do what. '
    'What is in S3 is not counted.';
