-- What an operator does to a database: uninstall, restore, clone.

-- Tables of the application that we know by oid, by their names as well: a dump is restored with other oids. And what their replica identity was before
-- we set it, so that uninstalling can put it back. The sidecar keeps the names true.
create table functions_private.known_tables (
    relation         oid primary key,
    schema_name      name not null,
    table_name       name not null,
    former_identity  "char",            -- pg_class.relreplident; null: we did not change it
    former_index     name               -- of REPLICA IDENTITY USING INDEX
);
insert into functions_private.known_tables (relation, schema_name, table_name, former_identity)
select c.oid, n.nspname, c.relname, case when c.relreplident = 'f' then 'd' end -- set by us, most likely, and nothing says over what
from pg_class c join pg_namespace n on n.oid = c.relnamespace where c.oid in (
    with recursive tree as (
        select t.relation as oid from functions_private.triggers t
        union select i.inhrelid from tree join pg_inherits i on i.inhparent = tree.oid)
    select oid from tree);

create function functions_private.know_table() returns trigger
language plpgsql set search_path = pg_catalog, pg_temp as $$
begin
    insert into functions_private.known_tables as k (relation, schema_name, table_name)
    select c.oid, n.nspname, c.relname from pg_class c join pg_namespace n on n.oid = c.relnamespace where c.oid = new.relation
    on conflict (relation) do update set schema_name = excluded.schema_name, table_name = excluded.table_name;
    return null;
end
$$;
revoke all on function functions_private.know_table() from public;
create trigger know_table after insert or update of relation on functions_private.triggers
    for each row execute function functions_private.know_table();

-- Which database this is. A dump, a template and a file copy take this row along, and then it is not true any more.
create table functions_private.installation (
    only_row       boolean primary key default true check (only_row),
    system_id      text,                -- of the server; null: not known yet
    database       oid,                 -- null: not known yet
    recognised_at  timestamptz,         -- as a copy; null: it is the original
    copied_from    text                 -- what it is a copy of, for people
);
insert into functions_private.installation (system_id) select r.system_id from functions_private.replication r;

-- What waited in the original when a copy was made of it: out of the way of deliveries until functions.adopt says what becomes of it.
create table functions_private.held_deliveries (like functions_private.deliveries including defaults, primary key (event_id));

create or replace view functions.events as
select e.id, e.occurred_at, e.kind, e.trigger, e.function,
       case when l.event_id is not null then 'dead'
            when h.event_id is not null then 'held'
            when d.event_id is null then 'done'
            when d.claimed_by is not null then 'running'
            when d.attempts > 0 then 'retrying'
            else 'pending' end as status,
       coalesce(d.attempts::integer, h.attempts::integer, l.attempts) as failed_attempts,
       d.run_at, coalesce(l.error_message, d.last_error, h.last_error) as error, e.payload, e.caller ->> 'role' as role, e.caller ->> 'sub' as user_id, e.depth
from functions_private.events e
left join functions_private.deliveries d on d.event_id = e.id
left join functions_private.held_deliveries h on h.event_id = e.id
left join functions_private.dead_letters l on l.event_id = e.id;
comment on view functions.events is 'Every durable event of the retention period and how far it is: pending, running, retrying, held, done or dead.';

create or replace view functions.replication as
select r.state, r.detail, s.slot_name::text as slot, coalesce(s.active, false) as active, s.wal_status, r.leader, k.host as leader_host,
       pg_wal_lsn_diff(pg_current_wal_lsn(), s.confirmed_flush_lsn)::bigint as lag_bytes,
       case when s.confirmed_flush_lsn >= pg_current_wal_lsn() then 0
            else round(extract(epoch from now() - greatest(r.leader_seen_at, r.stored_at)), 1) end as lag_seconds,
       s.confirmed_flush_lsn, r.stored_lsn, d.events_pending, d.events_running, d.oldest_pending,
       (select count(*) from functions_private.dead_letters) as dead_letters,
       (select count(*) from functions_private.incidents i where i.closed_at is null) as open_incidents,
       (select count(*) from functions_private.held_deliveries) as events_held, o.copied_from
from functions_private.replication r
cross join functions_private.installation o
left join pg_replication_slots s on s.slot_name = ('functions_' || (select oid from pg_database where datname = current_database()))
left join functions_private.sidecars k on k.id = r.leader
cross join lateral (
    select count(*) filter (where x.claimed_by is null) as events_pending, count(*) filter (where x.claimed_by is not null) as events_running,
           min(x.occurred_at) as oldest_pending
    from functions_private.deliveries x) d;
comment on view functions.replication is
    'How the WAL is read: the slot, who reads it, how far behind it is (bytes, seconds), what waits in the inbox, what is held since the database was copied, and what went wrong.';
