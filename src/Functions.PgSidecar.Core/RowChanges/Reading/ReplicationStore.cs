using Functions.PgSidecar.Core.Events;
using Functions.PgSidecar.Postgres.Statements;
using Npgsql;
using NpgsqlTypes;

namespace Functions.PgSidecar.Core.RowChanges.Reading;

/// <summary>The state of replication, before the WAL is read.</summary>
/// <param name="IsReadFor">Whether triggers exist, or existed when a change committed that has not been read.</param>
/// <param name="Slot">The slot's name.</param>
/// <param name="SlotExists">Whether the slot exists.</param>
/// <param name="ActivePid">The backend that serves the slot's reader; null if there is no reader.</param>
/// <param name="WalStatus"><c>reserved</c>, <c>extended</c>, <c>unreserved</c>, <c>lost</c>; null without a slot.</param>
/// <param name="PublicationExists">Whether the publications exist.</param>
/// <param name="LeaderIsStale">Whether the reader has sent no heartbeat for <see cref="ReplicationStore.LeaderTimeout"/>.</param>
/// <param name="Incident">An incident that has not been closed, or null.</param>
public sealed record ReplicationStatus(
    bool IsReadFor,
    string Slot,
    bool SlotExists,
    int? ActivePid,
    string? WalStatus,
    bool PublicationExists,
    bool LeaderIsStale,
    string? Incident
)
{
    /// <summary>Whether the server has removed WAL that was not read yet.</summary>
    public bool IsLost => WalStatus == "lost";
}

/// <summary>The slot, its reader, and its incidents.</summary>
/// <param name="dataSource">The sidecar's own data source.</param>
public sealed class ReplicationStore(NpgsqlDataSource dataSource)
{
    /// <summary>The interval of the reader's heartbeats.</summary>
    public static readonly TimeSpan BeatInterval = TimeSpan.FromSeconds(2);

    /// <summary>A reader that sends no heartbeat for this long loses the slot to another sidecar.</summary>
    public static readonly TimeSpan LeaderTimeout = TimeSpan.FromSeconds(10);

    /// <summary>
    /// Whether there is something to read: a trigger exists, or changes that committed while one existed have not been read. Definitions
    /// that ended beyond the end of the WAL come from a dump of another server.
    /// </summary>
    internal const string IsReadForSql = """
        (exists (select from functions_private.triggers)
         or exists (select from functions_private.former_triggers f join pg_replication_slots r on r.slot_name = functions_private.slot_name()
                    where f.ended_lsn > r.confirmed_flush_lsn and f.ended_lsn <= pg_current_wal_insert_lsn()))
        """;

    /// <summary>Reads the state of replication.</summary>
    public Task<ReplicationStatus> InspectAsync(CancellationToken cancellationToken) =>
        dataSource.SingleAsync<ReplicationStatus>(
            $"""
            select {IsReadForSql} as is_read_for, n.name::text as slot, s.slot_name is not null as slot_exists, s.active_pid, s.wal_status,
                   (select count(*) = 2 from pg_publication where pubname in ('functions_events', 'functions_events_changes'))
                       as publication_exists,
                   coalesce(r.leader_seen_at < now() - @LeaderTimeout, true) as leader_is_stale,
                   (select i.message from functions_private.incidents i where i.closed_at is null order by i.id desc limit 1) as incident
            from functions_private.replication r cross join functions_private.slot_name() as n (name)
            left join pg_replication_slots s on s.slot_name = n.name
            """,
            new { LeaderTimeout },
            cancellationToken
        );

    /// <summary>The ids of the publications that exist, and the end of the WAL. Recreated publications have other ids.</summary>
    public Task<(string? Publications, NpgsqlLogSequenceNumber End)> PublicationsAsync(CancellationToken cancellationToken) =>
        dataSource.SingleAsync<(string?, NpgsqlLogSequenceNumber)>(
            """
            select (select string_agg(oid::text, ' ' order by pubname) from pg_publication
                    where pubname in ('functions_events', 'functions_events_changes')), pg_current_wal_insert_lsn()
            """,
            null,
            cancellationToken
        );

    /// <summary>
    /// Terminates inbox connections that former readers left with an open transaction, because they hang or their hosts have vanished.
    /// Storing the same events again would wait for those transactions, and so would <see cref="LeadAsync"/>. Call only while holding the
    /// slot, before storing anything. Former readers may have run as another login: the owner, or one that serves. An idle connection
    /// blocks no one, and may by now be another session of that sidecar.
    /// </summary>
    public Task EndFormerInboxesAsync(CancellationToken cancellationToken) =>
        dataSource.ExecuteAsync(
            """
            select pg_terminate_backend(a.pid) from pg_stat_activity a
            where a.datname = current_database() and a.usename = session_user and a.application_name = @ApplicationName and a.state <> 'idle';
            select functions_serving.end_former_inboxes()
            """,
            new { Inbox.ApplicationName },
            cancellationToken
        );

    /// <summary>Records that a sidecar has become the reader; the previous reader is fenced from then on.</summary>
    /// <returns>Its epoch, and the position up to which everything is in the inbox (0 if nothing of this server is).</returns>
    public async Task<(long Epoch, ulong StoredLsn)> LeadAsync(Guid sidecar, string systemId, CancellationToken cancellationToken)
    {
        var (epoch, stored) = await dataSource
            .SingleAsync<(long, NpgsqlLogSequenceNumber)>(
                """
                update functions_private.replication set epoch = epoch + 1, leader = @sidecar, leader_seen_at = now(),
                    state = 'streaming', detail = null, updated_at = now(),
                    stored_lsn = case when system_id = @systemId then stored_lsn end, system_id = @systemId
                returning epoch, coalesce(stored_lsn, '0/0')
                """,
                new { sidecar, systemId },
                cancellationToken
            )
            .ConfigureAwait(false);
        return (epoch, (ulong)stored);
    }

    /// <summary>Records a heartbeat of the reader.</summary>
    /// <returns>False if another sidecar has taken over.</returns>
    public async Task<bool> BeatAsync(long epoch, string state, string? detail, CancellationToken cancellationToken)
    {
        var changed = await dataSource
            .ExecuteAsync(
                """
                update functions_private.replication set leader_seen_at = now(), state = @state, detail = @detail,
                    updated_at = case when state = @state then updated_at else now() end
                where epoch = @epoch
                """,
                new
                {
                    epoch,
                    state,
                    detail,
                },
                cancellationToken
            )
            .ConfigureAwait(false);
        return changed == 1;
    }

    /// <summary>Records why the WAL is not being read, unless a reader exists, which records its own state.</summary>
    public Task ReportAsync(string state, string? detail, CancellationToken cancellationToken) =>
        dataSource.ExecuteAsync(
            """
            update functions_private.replication r set state = @state, detail = @detail, updated_at = now(), leader = null
            where (r.state, r.detail) is distinct from (@state, @detail)
              and not exists (select from pg_replication_slots s where s.slot_name = functions_private.slot_name() and s.active)
            """,
            new { state, detail },
            cancellationToken
        );

    /// <summary>
    /// Opens an incident, unless one of the kind is open. The gap begins at the position up to which everything was stored or fires
    /// nothing. If neither the inbox nor the slot has that position, it begins at the first trigger.
    /// </summary>
    /// <param name="kind">What is missing.</param>
    /// <param name="message">What happened, and what to do.</param>
    /// <param name="since">A position at which the gap begins at the latest, also of an incident that is open; null if none is known.
    /// </param>
    /// <param name="cancellationToken">Gives up.</param>
    public async Task<bool> OpenIncidentAsync(
        string kind,
        string message,
        NpgsqlLogSequenceNumber? since,
        CancellationToken cancellationToken
    )
    {
        var opened = await dataSource
            .ExecuteAsync(
                """
                with known as (
                    update functions_private.incidents i set from_lsn = @since::pg_lsn
                    where i.kind = @kind and i.closed_at is null and i.from_lsn > @since::pg_lsn
                )
                insert into functions_private.incidents (kind, message, from_lsn)
                select @kind, @message, least(@since::pg_lsn, coalesce(
                    greatest((select stored_lsn from functions_private.replication),
                             (select s.confirmed_flush_lsn from pg_replication_slots s where s.slot_name = functions_private.slot_name())),
                    (select min(since_lsn) from functions_private.triggers)))
                where not exists (select from functions_private.incidents i where i.kind = @kind and i.closed_at is null)
                on conflict (kind) where closed_at is null do nothing
                """,
                new
                {
                    kind,
                    message,
                    since = since?.ToString(),
                },
                cancellationToken
            )
            .ConfigureAwait(false);
        return opened == 1;
    }

    /// <summary>
    /// Whether the slot may still contain changes from before the publication <c>functions_events_changes</c> was created.
    /// </summary>
    public Task<bool> MayPrecedeChangesAsync(CancellationToken cancellationToken) =>
        dataSource.SingleAsync<bool>(
            """
            select coalesce((select age(s.catalog_xmin) >= age(r.changes_xid::xid)
                from functions_private.replication r join pg_replication_slots s on s.slot_name = functions_private.slot_name()), false)
            """,
            null,
            cancellationToken
        );

    /// <summary>Terminates the connection of a reader that sends no heartbeat, so that its slot becomes free.</summary>
    public Task TerminateAsync(int pid, CancellationToken cancellationToken) =>
        dataSource.ExecuteAsync("select functions_serving.end_reader(@pid)", new { pid }, cancellationToken);

    /// <summary>The backend that serves the slot's reader, or null.</summary>
    public Task<int?> ActivePidAsync(CancellationToken cancellationToken) =>
        dataSource.SingleOrDefaultAsync<int?>(
            "select s.active_pid from pg_replication_slots s where s.slot_name = functions_private.slot_name()",
            null,
            cancellationToken
        );

    /// <summary>How many deliveries are waiting, and the approximate size of their events in bytes.</summary>
    public Task<(long Deliveries, long Bytes)> MeasureInboxAsync(CancellationToken cancellationToken) =>
        dataSource.SingleAsync<(long, long)>(
            """
            select d.n, (d.n * coalesce(e.bytes, 0))::bigint
            from (select count(*) as n from functions_private.deliveries) d
            cross join (select avg(pg_column_size(e.payload) + pg_column_size(e.caller) + 200) as bytes
                        from (select occurred_at, event_id from functions_private.deliveries limit 100) w cross join lateral (
                            select * from functions_private.events e where e.occurred_at = w.occurred_at and e.id = w.event_id offset 0) e) e
            """,
            null,
            cancellationToken
        );

    /// <summary>The figures of functions.replication for monitoring.</summary>
    public Task<ReplicationFigures> FiguresAsync(CancellationToken cancellationToken) =>
        dataSource.SingleAsync<ReplicationFigures>(
            """
            select coalesce(lag_bytes, 0)::bigint as lag_bytes, events_pending as pending,
                   coalesce(extract(epoch from now() - oldest_pending), 0)::float8 as oldest_seconds, dead_letters, open_incidents,
                   events_held as held
            from functions.replication
            """,
            null,
            cancellationToken
        );
}

/// <summary>How far reading the WAL and draining the inbox have come.</summary>
/// <param name="LagBytes">WAL that was written and is not acknowledged.</param>
/// <param name="Pending">Events that are waiting.</param>
/// <param name="OldestSeconds">The age of the oldest waiting event.</param>
/// <param name="DeadLetters">Dead letters.</param>
/// <param name="OpenIncidents">Incidents of the slot that are open.</param>
/// <param name="Held">Events that were waiting in the database that this one was copied from, and that have not been adopted.</param>
public readonly record struct ReplicationFigures(
    long LagBytes,
    long Pending,
    double OldestSeconds,
    long DeadLetters,
    long OpenIncidents,
    long Held
);
