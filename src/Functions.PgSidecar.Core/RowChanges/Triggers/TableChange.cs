using Npgsql;

namespace Functions.PgSidecar.Core.RowChanges.Triggers;

/// <summary>What became of a change of a table. Neither done nor refused: a writer locks the table; try again.</summary>
/// <param name="IsDone">Whether it was made.</param>
/// <param name="Refusal">Why the server refuses it, for example because the table has another owner; null if it does not.</param>
public readonly record struct TableChangeResult(bool IsDone, string? Refusal);

/// <summary>Changes the definition of an application's table beside its writers, who never wait long for it.</summary>
internal static class TableChange
{
    /// <summary>Runs a routine on a table, in a transaction with a short lock timeout, because writers queue behind it.</summary>
    /// <param name="dataSource">The sidecar's own data source.</param>
    /// <param name="routine">A routine of <c>functions_serving</c> that takes the table's name.</param>
    /// <param name="table">The table's name; if it no longer exists, nothing is done.</param>
    /// <param name="cancellationToken">Rolls it back.</param>
    public static async Task<TableChangeResult> TryRunAsync(
        NpgsqlDataSource dataSource,
        string routine,
        string table,
        CancellationToken cancellationToken
    )
    {
        await using var connection = await dataSource.OpenConnectionAsync(cancellationToken).ConfigureAwait(false);
        await using var batch = new NpgsqlBatch(connection);
        batch.BatchCommands.Add(new NpgsqlBatchCommand("set local lock_timeout = '50ms'"));
        batch.BatchCommands.Add(
            new NpgsqlBatchCommand($"select functions_serving.{routine}($1)")
            {
                Parameters = { new NpgsqlParameter<string> { TypedValue = table } },
            }
        );
        await using var transaction = await connection.BeginTransactionAsync(cancellationToken).ConfigureAwait(false);
        batch.Transaction = transaction;
        try
        {
            await batch.ExecuteNonQueryAsync(cancellationToken).ConfigureAwait(false);
            await transaction.CommitAsync(cancellationToken).ConfigureAwait(false);
            return new TableChangeResult(IsDone: true, Refusal: null);
        }
        catch (PostgresException busy) when (busy.SqlState == PostgresErrorCodes.LockNotAvailable)
        {
            return new TableChangeResult(IsDone: false, Refusal: null);
        }
        catch (PostgresException e)
        {
            return new TableChangeResult(IsDone: false, e.MessageText);
        }
    }
}
