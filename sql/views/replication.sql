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
    select count(*) filter (where x.claimed_by is null) as events_pending,
        count(*) filter (where x.claimed_by is not null) as events_running,
           min(x.occurred_at) as oldest_pending
    from functions_private.deliveries x) d;
comment on view functions.replication is
    'State of the WAL reader: slot, reader, lag (bytes, seconds), events in the inbox, events held since the database was copied, last '
    'error.';
