using Npgsql;
using NpgsqlTypes;

namespace Functions.PgSidecar.Postgres.Replication;

/// <summary>What there is to be known before the WAL is read.</summary>
/// <param name="IsReadFor">Whether there are triggers, or were when something committed that has not been read.</param>
/// <param name="Slot">The slot's name.</param>
/// <param name="SlotExists">Whether it is there.</param>
/// <param name="ActivePid">The backend that serves its reader; null: nobody reads.</param>
/// <param name="WalStatus"><c>reserved</c>, <c>extended</c>, <c>unreserved</c>, <c>lost</c>; null without a slot.</param>
/// <param name="PublicationExists">Whether the publications are there.</param>
/// <param name="LeaderIsStale">Whether the reader has not been heard of for <see cref="ReplicationStore.LeaderPatience"/>.</param>
/// <param name="Incident">What went wrong and was not closed, or null.</param>
public sealed record ReplicationStatus(
    bool IsReadFor, string Slot, bool SlotExists, int? ActivePid, string? WalStatus, bool PublicationExists, bool LeaderIsStale, string? Incident)
{
    /// <summary>Whether the server has thrown away WAL that was not read yet.</summary>
    public bool IsLost => WalStatus == "lost";
}

/// <summary>The slot, who reads it, and what went wrong with it.</summary>
/// <param name="dataSource">The sidecar's own data source.</param>
public sealed class ReplicationStore(NpgsqlDataSource dataSource)
{
    /// <summary>How often the reader says that it lives.</summary>
    public static readonly TimeSpan BeatInterval = TimeSpan.FromSeconds(2);

    /// <summary>A reader that was silent for so long loses the slot to another sidecar.</summary>
    public static readonly TimeSpan LeaderPatience = TimeSpan.FromSeconds(10);

    /// <summary>
    /// Whether there is something to read: a trigger, or changes that committed while there was one and have not been read. What ended beyond the end of the
    /// WAL came with a dump of another server.
    /// </summary>
    private const string IsReadForSql = """
        (exists (select from functions_private.triggers)
         or exists (select from functions_private.former_triggers f join pg_replication_slots r on r.slot_name = functions_private.slot_name()
                    where f.ended_lsn > r.confirmed_flush_lsn and f.ended_lsn <= pg_current_wal_insert_lsn()))
        """;

    /// <summary>How things are.</summary>
    public async Task<ReplicationStatus> InspectAsync(CancellationToken cancellationToken)
    {
        await using var command = dataSource.CreateCommand($"""
            select {IsReadForSql}, n.name::text, s.slot_name is not null, s.active_pid, s.wal_status,
                   (select count(*) = 2 from pg_publication where pubname in ('functions_events', 'functions_events_changes')),
                   coalesce(r.leader_seen_at < now() - $1, true),
                   (select i.message from functions_private.incidents i where i.closed_at is null order by i.id desc limit 1)
            from functions_private.replication r cross join functions_private.slot_name() as n (name)
            left join pg_replication_slots s on s.slot_name = n.name
            """);
        command.Parameters.AddWithValue(LeaderPatience);
        await using var reader = await command.ExecuteReaderAsync(cancellationToken).ConfigureAwait(false);
        await reader.ReadAsync(cancellationToken).ConfigureAwait(false);
        return new ReplicationStatus(
            reader.GetBoolean(0), reader.GetString(1), reader.GetBoolean(2), reader.IsDBNull(3) ? null : reader.GetInt32(3),
            reader.IsDBNull(4) ? null : reader.GetString(4), reader.GetBoolean(5), reader.GetBoolean(6), reader.IsDBNull(7) ? null : reader.GetString(7));
    }

    /// <summary>
    /// Ends what former readers have left open in the inbox, where they stand still or their hosts have vanished: the same events, stored again, would wait for
    /// those transactions, and so would <see cref="LeadAsync"/>. To be asked by whom the slot belongs, before it stores anything. What is idle holds up nobody,
    /// and may have become another session of that sidecar's.
    /// </summary>
    public async Task EndFormerInboxesAsync(CancellationToken cancellationToken)
    {
        await using var command = dataSource.CreateCommand("""
            select pg_terminate_backend(a.pid) from pg_stat_activity a
            where a.datname = current_database() and a.usename = session_user and a.application_name = $1 and a.state <> 'idle'
            """);
        command.Parameters.AddWithValue(Inbox.ApplicationName);
        await command.ExecuteNonQueryAsync(cancellationToken).ConfigureAwait(false);
    }

    /// <summary>Records that a sidecar has become the reader; whoever was it before is fenced from now on.</summary>
    /// <returns>Its epoch, and up to where everything is in the inbox (0: of this server nothing is).</returns>
    public async Task<(long Epoch, ulong StoredLsn)> LeadAsync(Guid sidecar, string systemId, CancellationToken cancellationToken)
    {
        await using var command = dataSource.CreateCommand("""
            update functions_private.replication set epoch = epoch + 1, leader = $1, leader_seen_at = now(), state = 'streaming', detail = null, updated_at = now(),
                stored_lsn = case when system_id = $2 then stored_lsn end, system_id = $2
            returning epoch, coalesce(stored_lsn, '0/0')
            """);
        command.Parameters.AddWithValue(sidecar);
        command.Parameters.AddWithValue(systemId);
        await using var reader = await command.ExecuteReaderAsync(cancellationToken).ConfigureAwait(false);
        await reader.ReadAsync(cancellationToken).ConfigureAwait(false);
        return (reader.GetInt64(0), (ulong)reader.GetFieldValue<NpgsqlLogSequenceNumber>(1));
    }

    /// <summary>The reader lives.</summary>
    /// <returns>False: another one has taken its place.</returns>
    public async Task<bool> BeatAsync(long epoch, string state, string? detail, CancellationToken cancellationToken)
    {
        await using var command = dataSource.CreateCommand("""
            update functions_private.replication set leader_seen_at = now(), state = $2, detail = $3,
                updated_at = case when state = $2 then updated_at else now() end
            where epoch = $1
            """);
        command.Parameters.AddWithValue(epoch);
        command.Parameters.AddWithValue(state);
        command.Parameters.Add(new NpgsqlParameter { NpgsqlDbType = NpgsqlDbType.Text, Value = (object?)detail ?? DBNull.Value });
        return await command.ExecuteNonQueryAsync(cancellationToken).ConfigureAwait(false) == 1;
    }

    /// <summary>Records why nobody reads; where somebody does, it is theirs to say.</summary>
    public async Task ReportAsync(string state, string? detail, CancellationToken cancellationToken)
    {
        await using var command = dataSource.CreateCommand("""
            update functions_private.replication r set state = $1, detail = $2, updated_at = now(), leader = null
            where (r.state, r.detail) is distinct from ($1, $2)
              and not exists (select from pg_replication_slots s where s.slot_name = functions_private.slot_name() and s.active)
            """);
        command.Parameters.AddWithValue(state);
        command.Parameters.Add(new NpgsqlParameter { NpgsqlDbType = NpgsqlDbType.Text, Value = (object?)detail ?? DBNull.Value });
        await command.ExecuteNonQueryAsync(cancellationToken).ConfigureAwait(false);
    }

    /// <summary>Drops the slot when there are no triggers and all that was to fire them has been read: nobody would read what it keeps.</summary>
    public async Task<bool> DropUnusedSlotAsync(CancellationToken cancellationToken)
    {
        await using var connection = await dataSource.OpenConnectionAsync(cancellationToken).ConfigureAwait(false);
        await using var transaction = await connection.BeginTransactionAsync(cancellationToken).ConfigureAwait(false);
        await using var command = new NpgsqlCommand($"""
            set local lock_timeout = '1s';
            lock table functions_private.triggers in share row exclusive mode;
            select count(pg_drop_replication_slot(s.slot_name)) from pg_replication_slots s
            where s.slot_name = functions_private.slot_name() and not s.active and not {IsReadForSql};
            """, connection, transaction);
        var dropped = (long)(await command.ExecuteScalarAsync(cancellationToken).ConfigureAwait(false) ?? 0L) > 0;
        await transaction.CommitAsync(cancellationToken).ConfigureAwait(false);
        return dropped;
    }

    /// <summary>
    /// Opens an incident, unless one of the kind is open. The gap begins where everything before has been stored or was of no interest: where
    /// neither the inbox nor the slot can say, where the first trigger began.
    /// </summary>
    public async Task<bool> OpenIncidentAsync(string kind, string message, CancellationToken cancellationToken)
    {
        await using var command = dataSource.CreateCommand("""
            insert into functions_private.incidents (kind, message, from_lsn)
            select $1, $2, coalesce(
                greatest((select stored_lsn from functions_private.replication),
                         (select s.confirmed_flush_lsn from pg_replication_slots s where s.slot_name = functions_private.slot_name())),
                (select min(since_lsn) from functions_private.triggers))
            where not exists (select from functions_private.incidents i where i.kind = $1 and i.closed_at is null)
            on conflict (kind) where closed_at is null do nothing
            """);
        command.Parameters.AddWithValue(kind);
        command.Parameters.AddWithValue(message);
        return await command.ExecuteNonQueryAsync(cancellationToken).ConfigureAwait(false) == 1;
    }

    /// <summary>Whether the slot may still have to read changes from before the publication <c>functions_events_changes</c> was made.</summary>
    public async Task<bool> MayPrecedeChangesAsync(CancellationToken cancellationToken)
    {
        await using var command = dataSource.CreateCommand("""
            select coalesce((select age(s.catalog_xmin) >= age(r.changes_xid::xid)
                from functions_private.replication r join pg_replication_slots s on s.slot_name = functions_private.slot_name()), false)
            """);
        return (bool)(await command.ExecuteScalarAsync(cancellationToken).ConfigureAwait(false))!;
    }

    /// <summary>Ends a reader that is not heard of any more, so that its slot can be had.</summary>
    public async Task TerminateAsync(int pid, CancellationToken cancellationToken)
    {
        await using var command = dataSource.CreateCommand(
            """
            select pg_terminate_backend(s.active_pid)
            from pg_replication_slots s join pg_stat_activity a on a.pid = s.active_pid
            where s.slot_name = functions_private.slot_name() and s.active_pid = $1
              and a.backend_type = 'walsender' -- and not the session of somebody who is making the slot
            """);
        command.Parameters.AddWithValue(pid);
        await command.ExecuteNonQueryAsync(cancellationToken).ConfigureAwait(false);
    }

    /// <summary>The backend that serves the slot's reader, or null.</summary>
    public async Task<int?> ActivePidAsync(CancellationToken cancellationToken)
    {
        await using var command = dataSource.CreateCommand(
            "select s.active_pid from pg_replication_slots s where s.slot_name = functions_private.slot_name()");
        return await command.ExecuteScalarAsync(cancellationToken).ConfigureAwait(false) as int?;
    }

    /// <summary>How many deliveries wait, and about how large their events are, in bytes.</summary>
    public async Task<(long Deliveries, long Bytes)> MeasureInboxAsync(CancellationToken cancellationToken)
    {
        await using var command = dataSource.CreateCommand("""
            select d.n, (d.n * coalesce(e.bytes, 0))::bigint
            from (select count(*) as n from functions_private.deliveries) d
            cross join (select avg(pg_column_size(e.payload) + pg_column_size(e.caller) + 200) as bytes
                        from (select occurred_at, event_id from functions_private.deliveries limit 100) w cross join lateral (
                            select * from functions_private.events e where e.occurred_at = w.occurred_at and e.id = w.event_id offset 0) e) e
            """);
        await using var reader = await command.ExecuteReaderAsync(cancellationToken).ConfigureAwait(false);
        await reader.ReadAsync(cancellationToken).ConfigureAwait(false);
        return (reader.GetInt64(0), reader.GetInt64(1));
    }

    /// <summary>The figures of functions.replication that are watched: lag in bytes, pending, age of the oldest in seconds, dead letters, open incidents.</summary>
    public async Task<ReplicationFigures> FiguresAsync(CancellationToken cancellationToken)
    {
        await using var command = dataSource.CreateCommand("""
            select coalesce(lag_bytes, 0), events_pending, coalesce(extract(epoch from now() - oldest_pending), 0)::float8, dead_letters, open_incidents, events_held
            from functions.replication
            """);
        await using var reader = await command.ExecuteReaderAsync(cancellationToken).ConfigureAwait(false);
        await reader.ReadAsync(cancellationToken).ConfigureAwait(false);
        return new ReplicationFigures(reader.GetInt64(0), reader.GetInt64(1), reader.GetDouble(2), reader.GetInt64(3), reader.GetInt64(4), reader.GetInt64(5));
    }
}

/// <summary>How the WAL is read and the inbox drained, in figures.</summary>
/// <param name="LagBytes">WAL that was written and is not acknowledged.</param>
/// <param name="Pending">Events that wait.</param>
/// <param name="OldestSeconds">The age of the oldest of them.</param>
/// <param name="DeadLetters">Events that failed too often.</param>
/// <param name="OpenIncidents">What went wrong with the slot and was not seen to.</param>
/// <param name="Held">Events that waited in the database that this one was copied from, and that nobody has adopted.</param>
public readonly record struct ReplicationFigures(long LagBytes, long Pending, double OldestSeconds, long DeadLetters, long OpenIncidents, long Held);
