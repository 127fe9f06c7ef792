-- functions.create_trigger(trigger, function, table, operations, options)
-- From the moment this commits, committed changes of the table's rows fire the function. Called again for a trigger that exists, it changes it
-- (options that are not given go back to their defaults). Does what is needed: the replication slot, the table's place in the publication, its replica identity.
--   operations  of {INSERT, UPDATE, DELETE, TRUNCATE}
--   columns     an UPDATE fires when one of these columns changed
--   when        an SQL condition over the rows old and new; what does not meet it is not stored
--   order_by    columns: events that are equal in them are delivered one after another, in the order of commits
--   batch_size 1-1000 (1), retries 0-100 (the function's, else 5), backoff_ms (1000) and max_backoff_ms (300000), timeout_ms 1000-300000
--   role        the role that the function runs as (the function's option role, else the writer; where that is no role of functions, anon; where it is
--               a superuser or the installation's owner, service_role)
--   payload     the names of an event's members: event (operation, old, new) or supabase (type, old_record, record)
--   url, headers, secret  post the events to a URL, signed as Standard Webhooks says, instead of running a function: function is null then
--   follow      "object": the table, whatever it is renamed to; "name": whichever table has the name, once it was dropped and made again, or swapped
--   include_old true: whole old rows (REPLICA IDENTITY FULL); start "now" or "backfill": fire for the rows that exist as well
create or replace function functions.create_trigger(
    trigger text, function text, "table" regclass, operations text[] default '{INSERT,UPDATE,DELETE}', options jsonb default '{}')
returns void
language plpgsql set search_path = pg_catalog, functions, pg_temp as $$
declare
    wanted text[];
    with_old boolean;
    former functions_private.triggers;
    new_id integer;
begin
    if trigger is null or trigger !~ '^[a-z][a-z0-9_-]{0,63}$' then
        raise exception '% is not a trigger name', coalesce(to_json(left(trigger, 80))::text, 'null') using errcode = 'invalid_name',
            hint = 'A name starts with a letter, has lower-case letters, digits, _ and -, and at most 64 of them.';
    end if;
    select array_agg(distinct upper(o) order by upper(o)) into wanted from unnest(operations) o;
    if wanted is null or not wanted <@ array['INSERT', 'UPDATE', 'DELETE', 'TRUNCATE'] then
        raise exception 'operations must be of {INSERT,UPDATE,DELETE,TRUNCATE}, not %', coalesce(operations::text, 'null') using errcode = 'invalid_parameter_value';
    end if;
    perform functions_private.validate_trigger_table("table");
    perform functions_private.validate_trigger_options(options, "table");
    with_old := coalesce((options ->> 'include_old')::boolean, true);
    if not with_old and options ->> 'columns' is not null and wanted && array['UPDATE'] then
        raise exception 'option columns needs old rows to compare with' using errcode = 'invalid_parameter_value', hint = 'Leave include_old true.';
    end if;

    lock table functions_private.triggers in share row exclusive mode;
    perform functions_private.ensure_slot();
    if options ->> 'url' is not null then
        if create_trigger.function is not null then
            raise exception 'a trigger has a function or the option url, not both' using errcode = 'invalid_parameter_value',
                hint = 'To post to a URL give null for the function.';
        end if;
        create_trigger.function := functions_private.set_url_target(trigger, options);
    end if;
    perform functions_private.require_function(create_trigger.function);
    select t.* into former from functions_private.triggers t where t.name = trigger;
    perform functions_private.lock_for_trigger("table", wanted, with_old);

    insert into functions_private.triggers as t
        (name, function, relation, operations, columns, condition, order_by, batch_size, retries, backoff_ms, max_backoff_ms, timeout_ms, role,
         include_old, payload, table_columns, since_lsn)
    values (trigger, create_trigger.function, "table", wanted,
        (select array_agg(c) from functions_private.text_list(options -> 'columns') c where c is not null), options ->> 'when',
        (select array_agg(c) from functions_private.text_list(options -> 'order_by') c where c is not null),
        coalesce((options ->> 'batch_size')::integer, 1), (options ->> 'retries')::integer, coalesce((options ->> 'backoff_ms')::integer, 1000),
        coalesce((options ->> 'max_backoff_ms')::integer, 300000), (options ->> 'timeout_ms')::integer, options ->> 'role', with_old,
        coalesce(options ->> 'payload', 'event'),
        (select array_agg(case when not a.attisdropped and a.attgenerated = '' then a.attname::text end order by a.attnum)
         from pg_attribute a where a.attrelid = "table" and a.attnum > 0),
        pg_current_wal_insert_lsn())
    on conflict (name) do update set function = excluded.function, relation = excluded.relation, operations = excluded.operations,
        columns = excluded.columns, condition = excluded.condition, order_by = excluded.order_by, batch_size = excluded.batch_size,
        retries = excluded.retries, backoff_ms = excluded.backoff_ms, max_backoff_ms = excluded.max_backoff_ms, timeout_ms = excluded.timeout_ms,
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
    if options ->> 'role' is not null and not has_schema_privilege((options ->> 'role')::name, (select c.relnamespace from pg_class c where c.oid = "table"), 'usage') then
        raise notice 'Role % has no USAGE on the schema of %: the function can''t ask for its rows.', options -> 'role', "table"
            using hint = format('grant usage on schema %I to %I; and what the function does with its tables.',
                (select c.relnamespace::regnamespace::text from pg_class c where c.oid = "table"), options ->> 'role');
    end if;
    if options ->> 'start' = 'backfill' then
        perform functions.backfill(trigger);
    end if;
    perform pg_notify('functions_events', 'triggers');
end
$$;
comment on function functions.create_trigger(text, text, regclass, text[], jsonb) is
    'Fires a function for committed changes of a table''s rows. Called again, it changes the trigger. See docs/triggers.md for the options.';
revoke all on function functions.create_trigger(text, text, regclass, text[], jsonb) from public;
