using Npgsql;
using NpgsqlTypes;

namespace Functions.PgSidecar.Postgres.Events;

/// <summary>Reads the definitions of triggers.</summary>
/// <param name="dataSource">The sidecar's own data source.</param>
public sealed class TriggerStore(NpgsqlDataSource dataSource)
{
    /// <summary>Every trigger, enabled or not.</summary>
    public async Task<IReadOnlyList<TriggerDefinition>> LoadAsync(CancellationToken cancellationToken)
    {
        await using var command = dataSource.CreateCommand("""
            select id, name, function, relation, operations, coalesce(columns, '{}'), condition is not null, coalesce(order_by, '{}'), batch_size,
                   retries, backoff_ms, max_backoff_ms, timeout_ms, role, enabled, created_lsn
            from functions_private.triggers order by id
            """);
        await using var reader = await command.ExecuteReaderAsync(cancellationToken).ConfigureAwait(false);
        var triggers = new List<TriggerDefinition>();
        while (await reader.ReadAsync(cancellationToken).ConfigureAwait(false)) triggers.Add(Read(reader));
        return triggers;
    }

    private static TriggerDefinition Read(NpgsqlDataReader reader) => new()
    {
        Id = reader.GetInt32(0),
        Name = reader.GetString(1),
        Function = reader.GetString(2),
        Relation = reader.GetFieldValue<uint>(3),
        Operations = reader.GetFieldValue<string[]>(4).Aggregate(RowOperations.None, (all, one) => all | Enum.Parse<RowOperations>(one, ignoreCase: true)),
        Columns = reader.GetFieldValue<string[]>(5),
        HasCondition = reader.GetBoolean(6),
        OrderBy = reader.GetFieldValue<string[]>(7),
        BatchSize = reader.GetInt32(8),
        Retries = reader.IsDBNull(9) ? null : reader.GetInt32(9),
        Backoff = TimeSpan.FromMilliseconds(reader.GetInt32(10)),
        MaxBackoff = TimeSpan.FromMilliseconds(reader.GetInt32(11)),
        Timeout = reader.IsDBNull(12) ? null : TimeSpan.FromMilliseconds(reader.GetInt32(12)),
        Role = reader.IsDBNull(13) ? null : reader.GetString(13),
        Enabled = reader.GetBoolean(14),
        CreatedLsn = (ulong)reader.GetFieldValue<NpgsqlLogSequenceNumber>(15),
    };
}
