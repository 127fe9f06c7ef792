using Npgsql;

namespace Functions.PgSidecar.Postgres.Sessions;

/// <summary>Chooses one of several hosts for a replication connection, which Npgsql opens to one host only.</summary>
public static class SingleHost
{
    /// <summary>
    /// The same connection string with the host that accepts the connection now: the first that fits its target session attributes. The
    /// WAL is read from the primary, so without such attributes it is the one that accepts writes.
    /// </summary>
    /// <exception cref="NpgsqlException">None of the hosts does.</exception>
    public static async Task<string> ChooseAsync(string connectionString, CancellationToken cancellationToken)
    {
        var settings = new NpgsqlConnectionStringBuilder(connectionString) { Pooling = false };
        if (settings.Host?.Contains(',', StringComparison.Ordinal) != true)
            return connectionString;
        settings.TargetSessionAttributes ??= "read-write";
        await using var connection = new NpgsqlConnection(settings.ConnectionString);
        await connection.OpenAsync(cancellationToken).ConfigureAwait(false);
        return new NpgsqlConnectionStringBuilder(connectionString)
        {
            Host = connection.Host,
            Port = connection.Port,
            TargetSessionAttributes = null,
        }.ConnectionString;
    }
}
