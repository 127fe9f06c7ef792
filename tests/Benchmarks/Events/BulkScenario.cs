using Functions.PgSidecar.Benchmarks.Report;

namespace Functions.PgSidecar.Benchmarks.Events;

/// <summary>
/// One large transaction: how fast it comes into the inbox, from its commit on, and what memory the sidecar takes for it.
/// </summary>
internal sealed class BulkScenario(BenchmarkRun run)
{
    private const int Rows = 200_000;

    private static string StoredSql(string table) =>
        $"""
            with stored as (select xmin from functions_private.events where trigger = '{table}' limit 1),
                 changed as (select xmin from bench.{table} limit 1)
            select extract(epoch from pg_xact_commit_timestamp(stored.xmin) - pg_xact_commit_timestamp(changed.xmin))::float8 from stored, changed
            """;

    public async Task<IReadOnlyList<Measurement>> MeasureAsync(CancellationToken cancellationToken)
    {
        // A process of its own: the peak of what came before is not this one's.
        await using var harness = await EventHarness.StartAsync(run, cancellationToken);
        // The first one shows the process its code, and counts for the memory.
        await StoreAsync(harness, "bulk_before", cancellationToken);
        var seconds = await StoreAsync(harness, "bulk", cancellationToken);
        return
        [
            new($"one transaction of {Rows:N0} rows: into the inbox", "events/s", Rows / seconds, Goal: Goal.AtLeast(40_000)),
            new(
                $"one transaction of {Rows:N0} rows: the sidecar's peak memory",
                "MB",
                harness.Sidecar.PeakResidentBytes / 1e6,
                Goal: Goal.AtMost(300)
            ),
        ];
    }

    /// <summary>Fills a table in one transaction.</summary>
    /// <returns>The seconds from its commit until its events are in the inbox.</returns>
    private async Task<double> StoreAsync(EventHarness harness, string table, CancellationToken cancellationToken)
    {
        await harness.FireAsync(table, $"bench.{table}", "{}", cancellationToken);
        // It is the inbox that is measured; no function is called meanwhile.
        await harness.ExecuteAsync($"select functions.disable('{table}')", cancellationToken);
        var before = await ScalarAsync<string>("select pg_current_wal_insert_lsn()::text", cancellationToken);
        await Changes.InsertAsync(run.Installation.Owner, $"bench.{table}", "some text of a row", Rows, cancellationToken);
        await EventHarness.UntilAsync(
            token => ScalarAsync<bool>($"select coalesce(stored_lsn > '{before}', false) from functions_private.replication", token),
            "the inbox",
            cancellationToken
        );
        return await ScalarAsync<double>(StoredSql(table), cancellationToken);
    }

    private async Task<T> ScalarAsync<T>(string sql, CancellationToken cancellationToken)
    {
        await using var command = run.Installation.Owner.CreateCommand(sql);
        return (T)(await command.ExecuteScalarAsync(cancellationToken))!;
    }
}
