using Functions.PgSidecar.Testing;
using Npgsql;

namespace Functions.PgSidecar.Tests.Integration.Database;

/// <summary>One of several sessions that block each other. Tests can wait until it is blocked.</summary>
internal sealed class ConcurrentSession : IAsyncDisposable
{
    /// <summary>The timeout of a statement, in seconds. The server detects a deadlock after one second.</summary>
    private const int WaitTimeout = 60;

    private readonly TestDatabase database;
    private readonly NpgsqlConnection connection;

    private ConcurrentSession(TestDatabase database, NpgsqlConnection connection) =>
        (this.database, this.connection) = (database, connection);

    /// <summary>Opens a session of the owner.</summary>
    public static async Task<ConcurrentSession> OpenAsync(TestDatabase database)
    {
        var settings = new NpgsqlConnectionStringBuilder(database.ConnectionString)
        {
            Pooling = false,
            CommandTimeout = WaitTimeout,
            IncludeErrorDetail = true,
        };
        var connection = new NpgsqlConnection(settings.ConnectionString);
        await connection.OpenAsync();
        return new ConcurrentSession(database, connection);
    }

    /// <summary>Runs statements.</summary>
    public async Task ExecuteAsync(string sql)
    {
        await using var command = new NpgsqlCommand(sql, connection);
        await command.ExecuteNonQueryAsync();
    }

    /// <summary>The first column of the first row.</summary>
    public async Task<T> ScalarAsync<T>(string sql)
    {
        await using var command = new NpgsqlCommand(sql, connection);
        return (T)(await command.ExecuteScalarAsync())!;
    }

    /// <summary>Waits until a running statement waits for a lock. Fails when the statement ends before.</summary>
    public Task WaitsAsync(Task statement) => WaitsAsync(database, connection.ProcessID, statement);

    /// <summary>The same for a session that the product has opened.</summary>
    public static async Task WaitsAsync(TestDatabase database, int processId, Task statement)
    {
        await Eventually.HoldsAsync(async () =>
            statement.IsCompleted
            || await database.ScalarAsync<bool>($"select exists (select from pg_locks l where l.pid = {processId} and not l.granted)")
        );
        if (!statement.IsCompleted)
            return;
        await statement;
        Assert.Fail("The statement went through.");
    }

    /// <summary>Closes the session even if a statement of a failed test still waits.</summary>
    public async ValueTask DisposeAsync()
    {
        await database.ExecuteAsync($"select pg_terminate_backend({connection.ProcessID})");
        await connection.DisposeAsync();
    }
}
