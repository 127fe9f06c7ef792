using Functions.PgSidecar.Core.Logs;
using Functions.PgSidecar.Testing;
using Microsoft.Extensions.Logging.Abstractions;
using Npgsql;

namespace Functions.PgSidecar.Tests.Integration.Observability;

/// <summary>The writer of the log loses no entry that fits into the buffer, regardless of the database, and counts the others.</summary>
public sealed class InvocationLogWorkerTests
{
    private const string Count = "select count(*) from functions_private.invocations";

    [Fact]
    public async Task Entries_are_written_and_the_last_ones_at_the_stop()
    {
        await using var database = await TestDatabase.CreateAsync();
        using var log = new InvocationLog(TimeProvider.System);
        using var worker = Worker(log, database.Owner);
        await worker.StartAsync(CancellationToken.None);
        log.Record(Invocation());
        await Eventually.HoldsAsync(async () => await database.ScalarAsync<long>(Count) == 1);
        log.Record(Invocation());
        await worker.StopAsync(CancellationToken.None);
        Assert.Equal(2, await database.ScalarAsync<long>(Count));
    }

    [Fact]
    public async Task Stop_during_a_write_loses_and_repeats_no_entry()
    {
        await using var database = await TestDatabase.CreateAsync();
        using var log = new InvocationLog(TimeProvider.System);
        using var worker = Worker(log, database.Owner);
        await worker.StartAsync(CancellationToken.None);
        await using var blocker = await database.Owner.OpenConnectionAsync();
        await using var transaction = await blocker.BeginTransactionAsync();
        await using (
            var block = new NpgsqlCommand("lock table functions_private.invocations in access exclusive mode", blocker, transaction)
        )
            await block.ExecuteNonQueryAsync();
        log.Record(Invocation());
        await Eventually.HoldsAsync(async () =>
            await database.ScalarAsync<long>(
                "select count(*) from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock' and query like 'copy%'"
            ) == 1
        );
        log.Record(Invocation());
        var stopping = worker.StopAsync(CancellationToken.None);
        await transaction.CommitAsync();
        await stopping;
        Assert.Equal(2, await database.ScalarAsync<long>(Count));
    }

    [Fact]
    [Trait("Speed", "Slow")]
    public async Task Entries_of_an_outage_are_written_when_the_database_returns()
    {
        var directory = Path.Combine(Path.GetTempPath(), $"pgfn-log-outage-{Guid.NewGuid():n}");
        var connectionString = await PostgresServer.RunClusterScriptAsync("start", directory, PostgresServer.ClusterOptions);
        try
        {
            await using var source = NpgsqlDataSource.Create(connectionString);
            await Postgres.Migrations.Migrator.ApplyAsync(source, CancellationToken.None);
            using var log = new InvocationLog(TimeProvider.System);
            using var worker = Worker(log, source);
            await worker.StartAsync(CancellationToken.None);
            await PostgresServer.RunClusterScriptAsync("stop", directory);
            for (var i = 0; i < 50; i++)
                log.Record(Invocation());
            await PostgresServer.RunClusterScriptAsync("start", directory, PostgresServer.ClusterOptions);
            await Eventually.HoldsAsync(async () => await CountAsync(source) == 50);
            await worker.StopAsync(CancellationToken.None);
            Assert.Equal(50, await CountAsync(source));
        }
        finally
        {
            await PostgresServer.RunClusterScriptAsync("stop", directory);
        }
    }

    [Fact]
    public void Entries_beyond_the_buffer_are_dropped_and_counted()
    {
        using var log = new InvocationLog(TimeProvider.System);
        var invocation = Invocation();
        for (var i = 0; i < 100_005; i++)
            log.Record(invocation);
        Assert.Equal(5, log.DroppedRecords);
        Assert.Equal(100_000, log.Take().Records.Count);
        log.Record(invocation);
        Assert.Equal(5, log.DroppedRecords);
    }

    private static InvocationLogWorker Worker(InvocationLog log, NpgsqlDataSource source) =>
        new(log, new InvocationLogStore(source), TimeProvider.System, NullLogger<InvocationLogWorker>.Instance);

    private static InvocationRecord Invocation() =>
        new(
            Guid.NewGuid(),
            "f",
            1,
            "http",
            "succeeded",
            null,
            null,
            DateTimeOffset.UtcNow,
            TimeSpan.FromMilliseconds(1),
            TimeSpan.Zero,
            TimeSpan.Zero,
            4096,
            "user",
            "authenticated",
            "request",
            null
        );

    private static async Task<long> CountAsync(NpgsqlDataSource source)
    {
        await using var command = source.CreateCommand(Count);
        try
        {
            return (long)(await command.ExecuteScalarAsync())!;
        }
        catch (NpgsqlException)
        {
            // The database is not back yet, or a pooled connection is broken.
            return -1;
        }
    }
}
