using Npgsql;

namespace Functions.PgSidecar.Postgres.Events;

/// <summary>A table whose updates and deletes do not get into the WAL as they should.</summary>
/// <param name="Table">Its name.</param>
/// <param name="Has">Its replica identity: <c>full</c>, <c>key</c> or <c>none</c>.</param>
/// <param name="Wanted">The one that it should have; <c>none</c>: a row trigger carries the changes; null: nothing is to be published any more.</param>
/// <param name="IsPublished">Whether its updates and deletes are published: then its rows have been sent with that identity.</param>
/// <param name="IsCarried">Whether the row trigger carries them.</param>
/// <param name="IsPartitioned">Whether its rows are in partitions, which are listed themselves.</param>
public sealed record UnsettledTable(string Table, string Has, string? Wanted, bool IsPublished, bool IsCarried, bool IsPartitioned)
{
    /// <summary>Whether its replica identity was changed by somebody else while its changes were published.</summary>
    public bool WasReset => IsPublished && Wanted == "full" && Has != "full";

    /// <summary>Whether its changes got into the WAL in neither way: they were missed.</summary>
    public bool WasMissed => Wanted is not null && !IsPublished && !IsCarried && !IsPartitioned;
}

/// <summary>Keeps the replica identities and the publication right as tables change: partitions that are attached, keys that go, identities that are set by hand.</summary>
/// <param name="dataSource">The sidecar's own data source.</param>
public sealed class IdentityStore(NpgsqlDataSource dataSource)
{
    /// <summary>The tables that are not as they should be, those above before those below.</summary>
    public async Task<IReadOnlyList<UnsettledTable>> UnsettledAsync(CancellationToken cancellationToken)
    {
        await using var command = dataSource.CreateCommand("""
            select p.relation::text, p.has, p.wanted, p.published, p.carried, p.kind = 'p' from functions_private.change_plans() p
            where not p.is_settled order by p.kind = 'p' desc, p.relation
            """);
        await using var reader = await command.ExecuteReaderAsync(cancellationToken).ConfigureAwait(false);
        var tables = new List<UnsettledTable>();
        while (await reader.ReadAsync(cancellationToken).ConfigureAwait(false))
        {
            tables.Add(new UnsettledTable(
                reader.GetString(0), reader.GetString(1), reader.IsDBNull(2) ? null : reader.GetString(2), reader.GetBoolean(3), reader.GetBoolean(4),
                reader.GetBoolean(5)));
        }
        return tables;
    }

    /// <summary>Makes a table as it should be. In a transaction of its own, and not for long in the way of writers, who wait behind it.</summary>
    /// <param name="table">As <see cref="UnsettledAsync"/> names it.</param>
    /// <param name="cancellationToken">Rolls it back.</param>
    /// <returns>False: somebody is writing to it.</returns>
    /// <exception cref="PostgresException">The table is another owner's, say.</exception>
    public async Task<bool> SettleAsync(string table, CancellationToken cancellationToken)
    {
        await using var connection = await dataSource.OpenConnectionAsync(cancellationToken).ConfigureAwait(false);
        await using var batch = new NpgsqlBatch(connection);
        batch.BatchCommands.Add(new NpgsqlBatchCommand("set local lock_timeout = '50ms'"));
        batch.BatchCommands.Add(new NpgsqlBatchCommand("select functions_private.settle_table(to_regclass($1)) where to_regclass($1) is not null")
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
