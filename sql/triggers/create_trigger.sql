-- functions.create_trigger(trigger, function, table, operations, options)
-- From its commit on, committed changes of the table's rows fire the function. Called again for an existing trigger, it changes the trigger
-- (options that are not given return to their defaults). Sets up the replication slot, the publication and the table's replica identity as
-- needed.
--   operations  of {INSERT, UPDATE, DELETE, TRUNCATE}
--   columns     an UPDATE fires when one of these columns changed
--   when        an SQL condition over the rows old and new; changes that do not meet it are not stored
--   order_by    columns: events with equal values are delivered one after another, in the order of commits
--   batch_size 1-1000 (1), retries 0-100 (the function's, else 5), backoff_ms (1000) and max_backoff_ms (300000), timeout_ms 1000-300000
--   role        the role that the function runs as (the function's option role, else the writer; where that is no role of functions, anon;
-- where it is
--               a superuser or the installation's owner, service_role)
--   payload     the names of an event's members: event (operation, old, new) or supabase (type, old_record, record)
--   url, headers, secret  post the events to a URL, signed as Standard Webhooks says, instead of running a function: function is null then
--   follow      "object": the table, also under another name; "name": the table that currently has the name, also after it was recreated or
-- swapped
--   include_old true: whole old rows (REPLICA IDENTITY FULL); start "now" or "backfill": fire for existing rows as well
create or replace function functions.create_trigger(
    trigger text, function text, "table" regclass, operations text[] default '{INSERT,UPDATE,DELETE}', options jsonb default '{}')
returns void
language plpgsql set search_path = pg_catalog, functions, pg_temp as $$
declare
    wanted text[];
    with_old boolean;
    near text;
    former functions_private.triggers;
    new_id integer;
    missing record;
begin
    if trigger is null or trigger !~ '^[a-z][a-z0-9_-]{0,63}$' then
        raise exception '% is not a trigger name', coalesce(to_json(left(trigger, 80))::text, 'null') using errcode = 'invalid_name',
            hint = 'A name starts with a letter, has lower-case letters, digits, _ and -, and at most 64 of them.';
    end if;
    select array_agg(distinct upper(o) order by upper(o)) into wanted from unnest(operations) o;
    if wanted is null or array_position(wanted, null) is not null or not wanted <@ array['INSERT', 'UPDATE', 'DELETE', 'TRUNCATE'] then
        select o into near from unnest(array['INSERT', 'UPDATE', 'DELETE', 'TRUNCATE']) o join unnest(wanted) w on w <> o
            and functions_private.is_similar_name(w, o) limit 1;
        raise exception 'operations must be of {INSERT,UPDATE,DELETE,TRUNCATE}, not %', coalesce(left(operations::text, 80), 'null')
            using errcode = 'invalid_parameter_value',
            hint = coalesce('Did you mean ' || near || '?',
                'At least one of them, for example ''{INSERT,UPDATE}''. An upsert is an INSERT or an UPDATE, a MERGE what it does.');
    end if;
    perform functions_private.validate_trigger_table("table");
    perform functions_private.validate_trigger_options(options, "table");
    with_old := coalesce((options ->> 'include_old')::boolean, true);
    if not with_old and options ->> 'columns' is not null and wanted && array['UPDATE'] then
        raise exception 'option columns needs old rows to compare with'
            using errcode = 'invalid_parameter_value', hint = 'Leave include_old true.';
    end if;
    if options ->> 'columns' is not null and not wanted && array['UPDATE'] then
        raise exception 'option columns is for UPDATE, which is not among the operations' using errcode = 'invalid_parameter_value',
            hint = 'Add UPDATE to the operations, or leave the option out.';
    end if;
    if options ->> 'when' is not null and wanted <@ array['TRUNCATE'] then
        raise exception 'option when: a TRUNCATE has no rows'
            using errcode = 'invalid_parameter_value', hint = 'Leave the option out; the function is told the table.';
    end if;
    if options ->> 'when' ~* '\mold\s*\.' and wanted <@ array['INSERT', 'TRUNCATE'] then
        raise notice 'The condition of trigger % asks for old, which is null for an INSERT.', trigger
            using hint = 'Ask for new, or have the trigger fire for UPDATE or DELETE.';
    elsif options ->> 'when' ~* '\mnew\s*\.' and wanted <@ array['DELETE', 'TRUNCATE'] then
        raise notice 'The condition of trigger % asks for new, which is null for a DELETE.', trigger
            using hint = 'Ask for old, or have the trigger fire for INSERT or UPDATE.';
    end if;

    perform functions_private.lock_triggers();
    perform functions_private.ensure_slot();
    if options ->> 'url' is not null then
        if create_trigger.function is not null then
            raise exception 'a trigger has a function or the option url, not both' using errcode = 'invalid_parameter_value',
                hint = 'To post to a URL give null for the function.';
        end if;
        create_trigger.function := functions_private.set_url_target(trigger, options);
    end if;
    if create_trigger.function is null then
        raise exception 'The function is null.' using errcode = 'invalid_parameter_value',
            hint = 'Name a deployed function (select name from functions.functions;), or post to a URL: options => ''{"url": "https://..."}''.';
    end if;
    perform functions_private.require_function(create_trigger.function);
    select t.* into former from functions_private.triggers t where t.name = trigger;
    perform functions_private.lock_for_trigger("table", wanted, with_old);

    insert into functions_private.triggers as t
        (name, function, relation, operations, columns, condition, order_by, batch_size, retries, backoff_ms, max_backoff_ms, timeout_ms,
            role,
         include_old, payload, table_columns, since_lsn)
    values (trigger, create_trigger.function, "table", wanted,
        (select array_agg(c) from functions_private.text_list(options -> 'columns') c where c is not null), options ->> 'when',
        (select array_agg(c) from functions_private.text_list(options -> 'order_by') c where c is not null),
        coalesce((options ->> 'batch_size')::integer, 1), (options ->> 'retries')::integer,
            coalesce((options ->> 'backoff_ms')::integer, 1000),
        coalesce((options ->> 'max_backoff_ms')::integer, 300000), (options ->> 'timeout_ms')::integer, options ->> 'role', with_old,
        coalesce(options ->> 'payload', 'event'),
        (select array_agg(case when not a.attisdropped and functions_private.is_in_wal(a.attgenerated) then a.attname::text end
            order by a.attnum)
         from pg_attribute a where a.attrelid = "table" and a.attnum > 0),
        pg_current_wal_insert_lsn())
    on conflict (name) do update set function = excluded.function, relation = excluded.relation, operations = excluded.operations,
        columns = excluded.columns, condition = excluded.condition, order_by = excluded.order_by, batch_size = excluded.batch_size,
        retries = excluded.retries, backoff_ms = excluded.backoff_ms, max_backoff_ms = excluded.max_backoff_ms,
            timeout_ms = excluded.timeout_ms,
        role = excluded.role, include_old = excluded.include_old, payload = excluded.payload, table_columns = excluded.table_columns
    returning t.id into new_id;
    perform functions_private.bind_trigger(new_id, options ->> 'follow');
    perform functions_private.publish_table("table");
    if former.relation is distinct from "table"::oid and former.relation is not null then
        perform functions_private.unpublish_table(former.relation);
    end if;
    if options ->> 'role' is null and options ->> 'url' is null and not exists (
        select from functions_private.functions f join functions_private.versions v on v.function = f.name and v.version = f.active_version
        where f.name = create_trigger.function and v.options ->> 'role' is not null)
    then
        raise notice 'Function % runs as the role that makes a change, where that is one of functions; as anon for changes by any other login; as service_role for those by superusers and the owner.',
            create_trigger.function
            using hint = 'To have it run as one role for all changes, an application''s own login''s too: the option role, of the trigger or of the function.';
    end if;
    for missing in
        select m.* from functions_private.missing_rights(case when options ->> 'url' is null
            then create_trigger.function end, "table", options ->> 'role', options ->> 'when') m
        where options ->> 'url' is null or m.remedy like 'grant execute%'
    loop
        raise warning '%', missing.problem using hint = missing.remedy;
    end loop;
    if options ->> 'start' = 'backfill' then
        perform functions.backfill(trigger);
    end if;
    perform pg_notify('functions_events', 'triggers');
end
$$;
comment on function functions.create_trigger(text, text, regclass, text[], jsonb) is
    'Fires a function for committed changes of a table''s rows; changes an existing trigger. Options: see docs/triggers.md.';
revoke all on function functions.create_trigger(text, text, regclass, text[], jsonb) from public;
