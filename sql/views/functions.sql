create or replace view functions.functions as
select f.name,
       f.enabled,
       f.active_version,
       latest.version                         as latest_version,
       latest.status                          as latest_status,
       coalesce(active.language, latest.language) as language,
       coalesce(active.options, latest.options)   as options,
       (select array_agg(e.key order by e.key) from functions_private.environment e where e.function = f.name) as environment,
       (select array_agg(s.key order by s.key) from functions_private.secrets s where s.function = f.name)     as secrets,
       (select array_agg(h.pattern order by h.pattern) from functions_private.hosts h where h.function = f.name) as hosts,
       f.created_at,
       f.updated_at
from functions_private.functions f
left join functions_private.versions active on active.function = f.name and active.version = f.active_version
left join lateral (
    select v.version, v.status, v.language, v.options
    from functions_private.versions v
    where v.function = f.name
    order by v.version desc
    limit 1
) latest on true;
comment on view functions.functions is 'The deployed functions: active version, options, variables and secrets (names only), hosts.';
