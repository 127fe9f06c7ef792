using Functions.PgSidecar.Postgres.Sessions;
using Functions.PgSidecar.Postgres.Statements;
using Npgsql;
using NpgsqlTypes;

namespace Functions.PgSidecar.Core.RowChanges.Reading;

/// <summary>
/// Creates the replication slot before the first trigger needs it, advances it while it has no reader, and drops it. The replication login
/// handles the slot itself. The sidecar's own login decides whether anything must be read, under the lock that a transaction holds from
/// creating a trigger until its commit.
/// </summary>
/// <param name="dataSource">The sidecar's own data source.</param>
/// <param name="connectionString">The connection string of the replication login, to the same database.</param>
public sealed class SlotStore(NpgsqlDataSource dataSource, string connectionString)
{
    /// <summary>How far the slot may lag before it is advanced, in bytes: one WAL segment.</summary>
    private const long Slack = 16 << 20;

    private readonly string ownConnectionString = new NpgsqlConnectionStringBuilder(connectionString)
    {
        ApplicationName = "pgfn slot",
        Options = OwnSessions.With(null),
        Pooling = false,
        Timeout = 5,
        CommandTimeout = 0,
    }.ConnectionString;

    /// <summary>
    /// Creates the slot. The server waits for every open transaction that has written something, in all of its databases.
    /// </summary>
    /// <param name="slot">Its name.</param>
    /// <param name="timeout">How long that may take; afterwards no slot exists.</param>
    /// <param name="cancellationToken">Gives up; afterwards no slot exists either.</param>
    /// <returns>Null if the slot exists; otherwise why it can't be created.</returns>
    public async Task<string?> CreateAsync(string slot, TimeSpan timeout, CancellationToken cancellationToken)
    {
        try
        {
            await using var connection = new NpgsqlConnection(ownConnectionString);
            await connection.OpenAsync(cancellationToken).ConfigureAwait(false);
            await using var command = new NpgsqlCommand(
                $"select current_setting('wal_level'), {ReplicationRight.Condition}, r.rolname::text from pg_roles r where r.rolname = current_user",
                connection
            );
            await using (var reader = await command.ExecuteReaderAsync(cancellationToken).ConfigureAwait(false))
            {
                await reader.ReadAsync(cancellationToken).ConfigureAwait(false);
                if (reader.GetString(0) is not "logical" and var level)
                    return $"wal_level is {level}, it must be logical.";
                if (!reader.GetBoolean(1))
                    return $"The login {reader.GetString(2)} may not create it: alter role {reader.GetString(2)} replication;";
            }
            command.CommandText = $"set statement_timeout = {(long)timeout.TotalMilliseconds}";
            await command.ExecuteNonQueryAsync(cancellationToken).ConfigureAwait(false);
            // failover (from PostgreSQL 17 on): the slot follows the database to a standby that is promoted.
            command.CommandText =
                connection.PostgreSqlVersion.Major >= 17
                    ? "select pg_create_logical_replication_slot($1, 'pgoutput', false, false, true)"
                    : "select pg_create_logical_replication_slot($1, 'pgoutput')";
            command.Parameters.AddWithValue(NpgsqlDbType.Name, slot);
            await command.ExecuteNonQueryAsync(cancellationToken).ConfigureAwait(false);
            return null;
        }
        catch (PostgresException e) when (e.SqlState == PostgresErrorCodes.DuplicateObject)
        {
            return null;
        }
        catch (PostgresException e) when (e.SqlState == PostgresErrorCodes.QueryCanceled && !cancellationToken.IsCancellationRequested)
        {
            return $"The server waits for open transactions, which did not end within {timeout.TotalSeconds:0} s.";
        }
        catch (NpgsqlException e)
        {
            return e is PostgresException { SqlState: PostgresErrorCodes.ConfigurationLimitExceeded }
                ? $"{e.Message}. Raise max_replication_slots, or drop a slot that has no reader (select * from pg_replication_slots)."
                : e.Message;
        }
    }

    /// <summary>
    /// Lets the server remove the WAL up to now, if there is nothing to read in it. Does nothing while a trigger is being created.
    /// </summary>
    /// <returns>The share of the work that is repeated each time: the server processes the WAL since the oldest open transaction.</returns>
    public async Task<double> AdvanceAsync(string slot, CancellationToken cancellationToken)
    {
        NpgsqlLogSequenceNumber end;
        double repeated;
        await using (var connection = await dataSource.OpenConnectionAsync(cancellationToken).ConfigureAwait(false))
        await using (var transaction = await connection.BeginTransactionAsync(cancellationToken).ConfigureAwait(false))
        {
            if (!await LockAsync(connection, cancellationToken).ConfigureAwait(false))
                return 0;
            // A transaction that creates a trigger commits after this position, because it waits for the lock.
            var position = await connection
                .SingleOrDefaultAsync<(NpgsqlLogSequenceNumber End, double Repeated)?>(
                    $"""
                    select w.lsn, ((s.confirmed_flush_lsn - s.restart_lsn) / (w.lsn - s.restart_lsn))::float8
                    from pg_replication_slots s cross join pg_current_wal_flush_lsn() as w (lsn)
                    where s.slot_name = @slot and not s.active and w.lsn - s.confirmed_flush_lsn > @Slack
                      and not {ReplicationStore.IsReadForSql}
                    """,
                    new { slot, Slack },
                    cancellationToken
                )
                .ConfigureAwait(false);
            if (position is null)
                return 0;
            (end, repeated) = position.Value;
            await transaction.CommitAsync(cancellationToken).ConfigureAwait(false);
        }
        await ExecuteAsync("select pg_replication_slot_advance($1, $2)", slot, end, cancellationToken).ConfigureAwait(false);
        return repeated;
    }

    /// <summary>
    /// Drops the slot if there are no triggers, and every change that should have fired them has been read: nothing would read what it
    /// retains.
    /// </summary>
    /// <param name="slot">Its name.</param>
    /// <param name="unlessServed">This sidecar: do nothing while another one is running. Null drops the slot in any case.</param>
    /// <param name="cancellationToken">Gives up.</param>
    public async Task<bool> DropUnusedAsync(string slot, Guid? unlessServed, CancellationToken cancellationToken)
    {
        await using var connection = await dataSource.OpenConnectionAsync(cancellationToken).ConfigureAwait(false);
        await using var transaction = await connection.BeginTransactionAsync(cancellationToken).ConfigureAwait(false);
        if (!await LockAsync(connection, cancellationToken).ConfigureAwait(false))
            return false;
        var isUnused = await connection
            .SingleOrDefaultAsync<bool>(
                $"""
                select exists (select from pg_replication_slots s where s.slot_name = @slot and not s.active)
                   and not {ReplicationStore.IsReadForSql}
                   and (@unlessServed::uuid is null or not exists (
                       select from functions_private.sidecars c where c.id <> @unlessServed and c.seen_at > now() - interval '15 seconds'))
                """,
                new { slot, unlessServed },
                cancellationToken
            )
            .ConfigureAwait(false);
        if (!isUnused)
            return false;
        // Under the lock: a trigger that is created meanwhile finds no slot.
        await ExecuteAsync("select pg_drop_replication_slot($1)", slot, null, cancellationToken).ConfigureAwait(false);
        return true;
    }

    /// <summary>Prevents triggers from being created until the transaction ends.</summary>
    /// <returns>False if one is being created.</returns>
    private static async Task<bool> LockAsync(NpgsqlConnection connection, CancellationToken cancellationToken)
    {
        try
        {
            await connection
                .ExecuteAsync("lock table functions_private.triggers in share row exclusive mode nowait", null, cancellationToken)
                .ConfigureAwait(false);
            return true;
        }
        catch (PostgresException e) when (e.SqlState == PostgresErrorCodes.LockNotAvailable)
        {
            return false;
        }
    }

    private async Task ExecuteAsync(string sql, string slot, NpgsqlLogSequenceNumber? lsn, CancellationToken cancellationToken)
    {
        await using var connection = new NpgsqlConnection(ownConnectionString);
        await connection.OpenAsync(cancellationToken).ConfigureAwait(false);
        await using var command = new NpgsqlCommand(sql, connection);
        command.Parameters.AddWithValue(NpgsqlDbType.Name, slot);
        if (lsn is { } position)
            command.Parameters.AddWithValue(NpgsqlDbType.PgLsn, position);
        try
        {
            await command.ExecuteNonQueryAsync(cancellationToken).ConfigureAwait(false);
        }
        catch (PostgresException e) when (e.SqlState is PostgresErrorCodes.ObjectInUse or PostgresErrorCodes.UndefinedObject)
        {
            // A reader uses the slot by now, or another sidecar was faster.
        }
    }
}
