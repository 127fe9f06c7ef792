using System.Text;
using Functions.PgSidecar.Benchmarks.Installation;
using Functions.PgSidecar.Benchmarks.Report;
using Npgsql;

namespace Functions.PgSidecar.Benchmarks.Invocations;

/// <summary>
/// What one <c>cache.get</c> adds to an invocation, also with <c>cacheTtl</c>, beside a prepared select of the same row by its key, sent by
/// Npgsql.
/// </summary>
internal sealed class CacheBenchmark : IBenchmark
{
    private const int Gets = 4_000;
    private const string Fill = """
        insert into functions_private.cache_entries (cache, key, value)
        select 'default', 'key:' || n, convert_to('value ' || n, 'UTF8') from generate_series(1, 10000) n on conflict do nothing
        """;

    private const string Statement = "select value from functions_private.cache_entries where cache = $1 and key = $2";

    public string Name => "cache";

    public async Task<IReadOnlyList<Measurement>> MeasureAsync(BenchmarkRun run, CancellationToken cancellationToken)
    {
        await using var sidecar = await InProcessSidecar.StartAsync(run.Installation, cancellationToken);
        await using (var fill = run.Installation.Owner.CreateCommand(Fill))
            await fill.ExecuteNonQueryAsync(cancellationToken);
        await run.Installation.DeployAsync("cached", Repository.Beside("Invocations/cache.js"), "{}", cancellationToken);
        await using var peer = NpgsqlDataSource.Create(
            new NpgsqlConnectionStringBuilder(run.Installation.Options.ConnectionString) { MaxAutoPrepare = 4, AutoPrepareMinUsages = 2 }
        );

        var with = await sidecar.PrepareAsync("cached", BenchmarkRun.User, """{"get":true,"id":4711}""", cancellationToken);
        var without = await sidecar.PrepareAsync("cached", BenchmarkRun.User, """{"get":false,"id":4711}""", cancellationToken);
        var copied = await sidecar.PrepareAsync("cached", BenchmarkRun.User, """{"get":true,"copy":true,"id":4711}""", cancellationToken);
        foreach (var reading in new[] { with, copied })
        {
            if (Encoding.UTF8.GetString((await sidecar.InvokeAsync(reading)).Span) != """{"value":"value 4711"}""")
                throw new InvalidOperationException("The function does not see the value.");
        }
        // Two seconds after the first read, copies are made.
        await Task.Delay(TimeSpan.FromSeconds(3), cancellationToken);
        var (withGet, withCopy, withoutGet, direct) = (new Samples(), new Samples(), new Samples(), new Samples());
        await SteadyState.ReachAsync(() => RoundAsync(new(), new(), new(), new()), cancellationToken);
        for (var i = 0; i < Gets; i++)
        {
            cancellationToken.ThrowIfCancellationRequested();
            await RoundAsync(withGet, withCopy, withoutGet, direct);
        }
        return
        [
            new(
                "cache.get: added time, median",
                "us",
                withGet.Median - withoutGet.Median,
                new Peer("Npgsql, prepared", direct.Median),
                Goal.RatioAtMost(1.3)
            ),
            new(
                "cache.get with cacheTtl, from a copy: added time, median",
                "us",
                withCopy.Median - withoutGet.Median,
                new Peer("Npgsql, prepared", direct.Median)
            ),
        ];

        // In turns, so that whatever else the machine does, it does to all of them.
        async Task RoundAsync(Samples withGet, Samples withCopy, Samples withoutGet, Samples direct)
        {
            await withGet.TimeAsync(() => sidecar.InvokeAsync(with));
            await withCopy.TimeAsync(() => sidecar.InvokeAsync(copied));
            await withoutGet.TimeAsync(() => sidecar.InvokeAsync(without));
            await direct.TimeAsync(() => AskAsync(peer));
        }
    }

    private static async Task AskAsync(NpgsqlDataSource peer)
    {
        await using var command = peer.CreateCommand(Statement);
        command.Parameters.Add(new NpgsqlParameter<string> { TypedValue = "default" });
        command.Parameters.Add(new NpgsqlParameter<string> { TypedValue = "key:4711" });
        await using var reader = await command.ExecuteReaderAsync();
        if (!await reader.ReadAsync() || reader.GetFieldValue<byte[]>(0).Length == 0)
            throw new InvalidOperationException("The peer does not see the row.");
    }
}
