using Functions.PgSidecar.Testing;
using Npgsql;

namespace Functions.PgSidecar.Tests.Integration.Database;

/// <summary>One of several sessions that get into each other's way: what it waits for can be waited for.</summary>
internal sealed class Rival : IAsyncDisposable
{
    /// <summary>Of a statement, in seconds; a deadlock is noticed after one.</summary>
    private const int Patience = 60;

    private readonly TestDatabase database;
    private readonly NpgsqlConnection connection;

    private Rival(TestDatabase database, NpgsqlConnection connection) => (this.database, this.connection) = (database, connection);

    /// <summary>A session of the owner's.</summary>
    public static async Task<Rival> OpenAsync(TestDatabase database)
    {
        var settings = new NpgsqlConnectionStringBuilder(database.ConnectionString) { Pooling = false, CommandTimeout = Patience };
        var connection = new NpgsqlConnection(settings.ConnectionString);
        await connection.OpenAsync();
        return new Rival(database, connection);
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

    /// <summary>Waits until a statement that was begun waits for a lock; it must not end before.</summary>
    public Task WaitsAsync(Task statement) => WaitsAsync(database, connection.ProcessID, statement);

    /// <summary>The same of a session that the product has opened.</summary>
    public static async Task WaitsAsync(TestDatabase database, int processId, Task statement)
    {
        await Eventually.HoldsAsync(async () => statement.IsCompleted
            || await database.ScalarAsync<bool>($"select exists (select from pg_locks l where l.pid = {processId} and not l.granted)"));
        if (!statement.IsCompleted) return;
        await statement;
        Assert.Fail("The statement went through.");
    }

    /// <summary>Ends it though a statement of a test that failed may still wait.</summary>
    public async ValueTask DisposeAsync()
    {
        await database.ExecuteAsync($"select pg_terminate_backend({connection.ProcessID})");
        await connection.DisposeAsync();
    }
}
