create or replace view functions.vector_indexes as
select v.name, v.dimensions, v.metric, v.type, v.m, v.ef_construction, v.ef_search, v.text_search, v.owner_only, v.model,
       greatest(c.reltuples, 0)::bigint as estimated_vectors, pg_total_relation_size(c.oid) as bytes, a.readers, a.writers, v.created_at,
       v.updated_at
from functions_private.vector_indexes v
left join pg_class c on c.relnamespace = to_regnamespace('functions_vectors') and c.relname = v.name
left join lateral (
    select array_agg(distinct r.rolname::text order by r.rolname::text) filter (where x.privilege_type = 'SELECT') as readers,
           array_agg(distinct r.rolname::text order by r.rolname::text) filter (where x.privilege_type = 'INSERT') as writers
    from aclexplode(c.relacl) x join pg_roles r on r.oid = x.grantee where x.grantee <> c.relowner) a on true;
comment on view functions.vector_indexes is
    'The vector indexes: their options, how many vectors the last ANALYZE counted, their size, and the roles that may use them.';
