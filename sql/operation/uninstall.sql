-- functions.uninstall(options) -> what was done, one line each
-- Removes everything of Functions.PgSidecar from the database, itself included, in one transaction: triggers on the application's tables,
-- the replica identities that were changed, publications, the replication slot, schemas, default privileges. Deployed functions, secrets,
-- events, logs and vector indexes are gone then.
--   force    true: also while sidecars serve the database, or had a heartbeat within the last 15 seconds
--   cascade  true: also objects of the application that use these schemas (policies and defaults that call functions.uid(), views of
-- functions.logs)
--   queues   true: also the queues that the sidecar's schema pgmq has, with their messages; without it they stay, if there are messages
--   roles    true: also anon, authenticated, service_role and the logins of functions, unless another database or login uses them
-- Briefly locks the application's tables that fire functions. Waits at most 10 seconds for any lock; if it can't get one, it changes
-- nothing.
create or replace function functions.uninstall(options jsonb default '{}') returns setof text
language plpgsql set search_path = pg_catalog, pg_temp set lock_timeout = '10s' set client_min_messages = warning as $$
declare
    wrong text;
    owner name := (select pg_get_userbyid(n.nspowner) from pg_namespace n where n.nspname = 'functions');
    slots text := 'functions\_' || (select d.oid from pg_database d where d.datname = current_database()) || '%';
    serving text;
    dependents text[];
    by_replicator boolean := functions_private.has_replicator();
    one record;
begin
    if jsonb_typeof(options) is distinct from 'object' then
        raise exception 'options must be a JSON object, not %', coalesce(jsonb_typeof(options), 'null')
            using errcode = 'invalid_parameter_value',
            hint = 'For example: {"cascade": true}; {} is none.';
    end if;
    select string_agg(k, ', ') into wrong from jsonb_each(options) o (k, v) where k not in ('force', 'cascade', 'queues', 'roles')
        or jsonb_typeof(v) <> 'boolean';
    if wrong is not null then
        raise exception 'uninstall has no such option, or it is not true or false: %', wrong using errcode = 'invalid_parameter_value',
            hint = 'Options: force, cascade, queues, roles.';
    end if;
    if not pg_has_role(owner, 'usage') then
        raise exception 'Only % may uninstall.', owner using errcode = 'insufficient_privilege';
    end if;
    lock table functions_private.migrations in exclusive mode; -- a sidecar that starts meanwhile waits
    select string_agg(distinct s.host, ', ') into serving from functions_private.sidecars s where s.seen_at > now() - interval '15 seconds';
    if serving is not null and not coalesce((options ->> 'force')::boolean, false) then
        raise exception 'Sidecars serve this database (on %).', serving using errcode = 'object_in_use',
            hint = 'Stop them, or they would install everything again. A killed sidecar counts for another 15 seconds. The option force does without.';
    end if;

    for one in select e.evtname from pg_event_trigger e join pg_proc p on p.oid = e.evtfoid
        where p.pronamespace = 'functions_private'::regnamespace loop
        execute format('drop event trigger %I', one.evtname);
        return next format('dropped event trigger %I', one.evtname);
    end loop;
    for one in
        select t.tgname, t.tgrelid::regclass as relation from pg_trigger t join pg_proc p on p.oid = t.tgfoid
            join pg_class c on c.oid = t.tgrelid
        where p.pronamespace = 'functions_private'::regnamespace and t.tgparentid = 0
            and c.relnamespace <> 'functions_private'::regnamespace
        order by c.oid
    loop
        execute format('drop trigger if exists %I on %s', one.tgname, one.relation);
        return next format('dropped trigger %I on %s', one.tgname, one.relation);
    end loop;
    for one in select k.relation::regclass as relation from functions_private.known_tables k
        join pg_class c on c.oid = k.relation order by k.relation loop
        if functions_private.restore_identity(one.relation) then
            return next format('put the replica identity of %s back', one.relation);
        end if;
    end loop;
    for one in select p.pubname from pg_publication p where p.pubname = 'functions_events' or p.pubname like 'functions\_events\_%' loop
        execute format('drop publication %I', one.pubname);
        return next format('dropped publication %I', one.pubname);
    end loop;

    dependents := array(select functions_private.foreign_dependents());
    if dependents <> '{}' then
        if not coalesce((options ->> 'cascade')::boolean, false) then
            raise exception 'Objects of the application use the schema functions.' using errcode = 'dependent_objects_still_exist',
                detail = array_to_string(dependents[:50], e'\n'),
                hint = 'Replace or drop them. With the option cascade they are dropped: tables keep row-level security on, and lose the policies.';
        end if;
        return query select 'dropped ' || d from unnest(dependents) d;
    end if;
    -- A platform that grants the same to anon (Supabase) did so before the installation.
    for one in
        select d.defaclobjtype as kind from pg_default_acl d
        where d.defaclrole = owner::regrole and d.defaclnamespace = 'public'::regnamespace and d.defaclobjtype in ('r', 'S', 'f')
          and exists (select from aclexplode(d.defaclacl) a where a.grantee = to_regrole('service_role')::oid)
          and not exists (select from aclexplode(d.defaclacl) a where a.grantee = to_regrole('anon')::oid)
    loop
        execute format('alter default privileges for role %I in schema public revoke all on %s from service_role', owner,
            case one.kind when 'r' then 'tables' when 'S' then 'sequences' else 'routines' end);
    end loop;
    if obj_description(to_regnamespace('auth'), 'pg_namespace') like 'Functions.PgSidecar:%' then
        drop schema auth cascade;
        return next 'dropped schema auth';
    end if;
    return query select * from functions_private.uninstall_queues(coalesce((options ->> 'queues')::boolean, false));
    for one in select s.login from functions_private.servers s where to_regrole(quote_ident(s.login)) is not null order by s.login loop
        perform functions_private.revoke_serving(one.login);
        execute format('revoke all on database %I from %I', current_database(), one.login);
        return next format('kept login %1$I, which served; a superuser can drop it: drop owned by %1$I; drop role %1$I;', one.login);
    end loop;
    return query select * from functions_private.uninstall_roles(coalesce((options ->> 'roles')::boolean, false));
    for one in select o.bucket, b.s3, count(*) as objects from functions_private.code_objects o
        join functions_private.buckets b on b.name = o.bucket where b.s3 is not null group by o.bucket, b.s3 loop
        return next format('kept %s objects with the code of functions in the bucket %s of %s, prefix "%s": remove them there',
            one.objects, one.s3 ->> 'bucket', one.s3 ->> 'endpoint', one.s3 ->> 'prefix');
    end loop;
    -- From here on no function or table of the installation exists, this one included; the rest needs none.
    drop schema functions, functions_private, functions_serving, functions_vectors cascade;
    return next 'dropped schemas functions, functions_private, functions_serving and functions_vectors';
    -- Last, because a rollback would not restore it.
    for one in select s.slot_name, s.active_pid from pg_replication_slots s where s.database = current_database()
        and s.slot_name like slots loop
        if one.active_pid is not null then
            if by_replicator then
                perform functions_replication.end_reader(one.active_pid);
            else
                perform pg_terminate_backend(one.active_pid);
            end if;
            while exists (select from pg_replication_slots s where s.slot_name = one.slot_name and s.active_pid = one.active_pid) loop
                perform pg_sleep(0.05);
            end loop;
        end if;
        if by_replicator then
            perform functions_replication.drop_slot(one.slot_name);
        else
            perform pg_drop_replication_slot(one.slot_name);
        end if;
        return next format('dropped replication slot %s', one.slot_name);
    end loop;
    for one in select n.nspname, p.proowner::regrole as login from pg_namespace n join pg_proc p on p.pronamespace = n.oid
        where n.nspname = 'functions_replication' limit 1 loop
        -- A superuser made them, and the login may read the WAL of other databases' installations too.
        return next format('kept schema %1$I and login %2$s, which reads the WAL; a superuser can drop them: drop schema %1$I cascade; drop owned by %2$s; drop role %2$s;',
            one.nspname, one.login);
    end loop;
end
$$;
comment on function functions.uninstall(jsonb) is
    'Removes Functions.PgSidecar from the database; returns what was done, one line each. Stop the sidecars first. Options: force, '
    'cascade, queues, roles.';
revoke all on function functions.uninstall(jsonb) from public;
