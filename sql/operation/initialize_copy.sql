-- functions_private.initialize_copy(system_id, database, on_restore) -> what the operator should know, one line each
-- Makes a database that was restored from a dump or created from a template an installation of its own. The migrator calls it, after it has
-- applied every routine again. Triggers are bound again by the names of their tables; positions start from now; events that waited in the
-- original are held, or handled as on_restore says (deliver, discard). A later transaction creates the replication slot.
create or replace function functions_private.initialize_copy(system_id text, database oid, on_restore text) returns setof text
language plpgsql set search_path = pg_catalog, pg_temp set client_min_messages = warning as $$
declare
    former functions_private.installation;
    known functions_private.known_tables[];
    one record;
    held bigint;
    schedules bigint;
    consumers bigint;
    providers bigint;
begin
    select i.* into former from functions_private.installation i;
    return next format('This database is a copy (of database %s on server %s): triggers are bound to the tables of their names, and fire for what commits from now on.',
        former.database, former.system_id);

    for one in select r.role, r.role in ('anon', 'authenticated', 'service_role') as is_ours
        from functions_private.roles r order by r.role loop
        if to_regrole(quote_ident(one.role)) is null then
            return next format('Functions may run as role %1$I, which this server does not have: create role %1$I nologin; select functions.grant_role(%1$L);', one.role);
        else
            perform functions.grant_role(one.role);
        end if;
    end loop;

    -- Bypasses the triggers that keep former definitions: changes under those can't be read here.
    alter table functions_private.triggers disable trigger user;
    for one in
        -- An oid without a recorded name was corrected by hand.
        select t.id, t.name, k.schema_name, k.table_name,
               case when k.relation is null then (select c.oid from pg_class c where c.oid = t.relation and c.relkind in ('r', 'p'))
                    else to_regclass(quote_ident(k.schema_name) || '.' || quote_ident(k.table_name)) end as relation
        from functions_private.triggers t left join functions_private.known_tables k on k.relation = t.relation order by t.id
    loop
        if one.relation is null then
            return next format('Trigger %s is disabled: this database has no table %s.', one.name,
                coalesce(format('%I.%I', one.schema_name, one.table_name), 'of its'));
        end if;
        update functions_private.triggers t
        set relation = coalesce(one.relation, 0), enabled = t.enabled and one.relation is not null, since_lsn = pg_current_wal_insert_lsn()
        where t.id = one.id;
    end loop;
    -- A dump omits dropped columns and renumbers those after them. If the table has all the names, its numbers are used. If not (a column
    -- was
    -- renamed after the trigger was created), no recorded column before it was dropped, and the numbers are unchanged.
    update functions_private.triggers t set table_columns = present.names
    from (select a.attrelid, array_agg(case when not a.attisdropped and functions_private.is_in_wal(a.attgenerated)
        then a.attname::text end order by a.attnum) as names
          from pg_attribute a where a.attnum > 0 group by a.attrelid) present
    where present.attrelid = t.relation and array_remove(t.table_columns, null) <@ present.names;
    alter table functions_private.triggers enable trigger user;
    known := array(select k from functions_private.known_tables k);
    delete from functions_private.known_tables;
    insert into functions_private.known_tables (relation, schema_name, table_name, former_identity, former_index)
    select to_regclass(format('%I.%I', k.schema_name, k.table_name)), k.schema_name, k.table_name, k.former_identity, k.former_index
    from unnest(known) k where to_regclass(format('%I.%I', k.schema_name, k.table_name)) is not null
    on conflict do nothing;
    delete from functions_private.former_triggers;

    update functions_private.replication r
    set leader = null, leader_seen_at = null, system_id = null, stored_lsn = null, stored_at = null, state = 'stopped', detail = null,
        updated_at = now(),
        changes_xid = pg_current_xact_id(); -- the slot that is made afterwards is younger than both publications
    update functions_private.incidents i set closed_at = now() where i.closed_at is null;
    update functions_private.backfills b set status = 'failed', error = 'The database was copied meanwhile.', finished_at = now()
        where b.status in ('pending', 'running');
    delete from functions_private.sidecars;
    update functions_private.schedules s set held = true;
    -- What the original was delivering is delivered there.
    update functions_private.queue_consumers c set held = true;
    delete from functions_private.queue_batches;
    delete from functions_private.queue_waits;
    -- Whoever operates the copy could sign URLs of the original, and its functions write to the original's objects in S3.
    update functions_private.buckets b set signing_key = functions_private.random_key(), held = b.s3 is not null;
    -- The credentials are the original's, and so is the money.
    update functions_private.ai_providers p set held = true, updated_at = clock_timestamp();
    with waiting as (delete from functions_private.deliveries d returning d.*)
    insert into functions_private.held_deliveries (event_id, occurred_at, function, trigger_id, order_key, run_at, attempts, last_error)
    select w.event_id, w.occurred_at, w.function, w.trigger_id, w.order_key, w.run_at, w.attempts, w.last_error from waiting w
    on conflict do nothing;

    perform functions_private.create_publications();
    for one in
        select t.relation::regclass as relation, array_agg(distinct o) as operations, bool_or(t.include_old) as with_old
        from functions_private.triggers t cross join unnest(t.operations) o where t.relation <> 0 group by t.relation
    loop
        begin
            perform functions_private.lock_for_trigger(one.relation, one.operations, one.with_old);
            perform functions_private.publish_table(one.relation);
        exception when others then
            return next format('Changes of %s can''t fire functions: %s', one.relation, sqlerrm);
        end;
    end loop;

    update functions_private.installation i
    set system_id = initialize_copy.system_id, database = initialize_copy.database, recognised_at = now(),
        copied_from = format('database %s on server %s', former.database, former.system_id);
    select count(*) into held from functions_private.held_deliveries;
    select count(*) into schedules from functions_private.schedules;
    select count(*) into consumers from functions_private.queue_consumers;
    select count(*) into providers from functions_private.ai_providers;
    if providers > 0 and on_restore <> 'deliver' then
        return next format('Its providers of models (%s) are not asked until functions.adopt(''deliver''), or until functions.set_ai_provider sets them for this database.', providers);
    end if;
    if consumers > 0 and on_restore not in ('deliver', 'discard') then
        return next format('Its queues (%s) are not consumed until you decide, by the same functions.adopt.', consumers);
    end if;
    if schedules > 0 and on_restore not in ('deliver', 'discard') then
        return next format('Its %s schedules do not run until you decide: select functions.adopt(''deliver''); where the original is gone, else functions.adopt(''discard'').', schedules);
    end if;
    if on_restore in ('deliver', 'discard') then
        -- Also if no event waited: buckets and providers are held.
        perform functions.adopt(on_restore);
        if held + schedules + consumers > 0 then
            return next format('%s events that waited in the original: %s (PGFN_ON_RESTORE).', held, case on_restore when 'deliver'
                then 'delivered here' else 'discarded' end);
        end if;
    end if;
end
$$;
comment on function functions_private.initialize_copy(text, oid, text) is
    'Makes a restored or cloned database an installation of its own; returns what the operator should know, one line each.';
revoke all on function functions_private.initialize_copy(text, oid, text) from public;
