using Npgsql;

namespace Functions.PgSidecar.Postgres.Events;

/// <summary>Has tables tell who writes to them that were not there when their trigger was made: partitions above all.</summary>
/// <param name="dataSource">The sidecar's own data source.</param>
public sealed class CaptureStore(NpgsqlDataSource dataSource)
{
    /// <summary>The tables that do not tell, those above before those below.</summary>
    public async Task<IReadOnlyList<string>> UncapturedAsync(CancellationToken cancellationToken)
    {
        await using var command = dataSource.CreateCommand("""
            select u::text from (select distinct t.relation from functions_private.triggers t) t cross join functions_private.uncaptured_tables(t.relation) u
            """);
        await using var reader = await command.ExecuteReaderAsync(cancellationToken).ConfigureAwait(false);
        var tables = new List<string>();
        while (await reader.ReadAsync(cancellationToken).ConfigureAwait(false)) tables.Add(reader.GetString(0));
        return tables;
    }

    /// <summary>The tables that fire functions and can be written to without capturing the writer, and the tables by whose names.</summary>
    public async Task<IReadOnlyList<CaptureGap>> GapsAsync(CancellationToken cancellationToken)
    {
        await using var command = dataSource.CreateCommand("select relation, relation::regclass::text, by_way_of::text from functions_private.capture_gaps()");
        await using var reader = await command.ExecuteReaderAsync(cancellationToken).ConfigureAwait(false);
        var gaps = new List<CaptureGap>();
        while (await reader.ReadAsync(cancellationToken).ConfigureAwait(false))
            gaps.Add(new CaptureGap(reader.GetFieldValue<uint>(0), reader.GetString(1), reader.GetString(2)));
        return gaps;
    }

    /// <summary>Keeps the names of tables true that are known by oid, for the day when a dump is restored with others.</summary>
    public async Task RefreshNamesAsync(CancellationToken cancellationToken)
    {
        await using var command = dataSource.CreateCommand("select functions_private.refresh_known_tables()");
        await command.ExecuteNonQueryAsync(cancellationToken).ConfigureAwait(false);
    }

    /// <summary>Has a table tell from now on. In a transaction of its own, and not for long in the way of writers, who wait behind it.</summary>
    /// <param name="table">As <see cref="UncapturedAsync"/> names it.</param>
    /// <param name="cancellationToken">Rolls it back.</param>
    /// <returns>False: somebody is writing to it.</returns>
    /// <exception cref="PostgresException">The table is another owner's, say.</exception>
    public async Task<bool> CaptureAsync(string table, CancellationToken cancellationToken)
    {
        await using var connection = await dataSource.OpenConnectionAsync(cancellationToken).ConfigureAwait(false);
        await using var batch = new NpgsqlBatch(connection);
        batch.BatchCommands.Add(new NpgsqlBatchCommand("set local lock_timeout = '50ms'"));
        batch.BatchCommands.Add(new NpgsqlBatchCommand("select functions_private.capture_table(to_regclass($1)) where to_regclass($1) is not null")
        {
            Parameters = { new NpgsqlParameter<string> { TypedValue = table } },
        });
        await using var transaction = await connection.BeginTransactionAsync(cancellationToken).ConfigureAwait(false);
        batch.Transaction = transaction;
        try
        {
            await batch.ExecuteNonQueryAsync(cancellationToken).ConfigureAwait(false);
            await transaction.CommitAsync(cancellationToken).ConfigureAwait(false);
            return true;
        }
        catch (PostgresException busy) when (busy.SqlState == PostgresErrorCodes.LockNotAvailable)
        {
            return false;
        }
    }
}

/// <summary>A table that fires functions, and by whose name its rows can be written without a context.</summary>
/// <param name="Relation">The table's oid.</param>
/// <param name="Table">Its name.</param>
/// <param name="ByWayOf">The name that a statement may use: the table itself, a partition, a table that it inherits from.</param>
public sealed record CaptureGap(uint Relation, string Table, string ByWayOf);
