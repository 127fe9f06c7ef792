using System.Text;
using Functions.PgSidecar.Benchmarks.Installation;
using Functions.PgSidecar.Benchmarks.Report;
using Npgsql;

namespace Functions.PgSidecar.Benchmarks.Invocations;

/// <summary>
/// What one <c>get</c> and one <c>put</c> of a small object add to an invocation, beside the same statements, prepared and sent by Npgsql.
/// </summary>
internal sealed class StorageBenchmark : IBenchmark
{
    private const int Rounds = 2_000;
    private const string Put =
        "select outcome, uploaded from functions_private.put_object('default', $1, gen_random_uuid(), octet_length($2::bytea), 'e', '{}', '{}', '{}', "
        + "'Standard', null, $2, null, null, null, null)";

    private const string Get = """
        select version, size, etag, http_metadata, custom_metadata, storage_class, checksums, uploaded, part_size, data
        from functions_private.objects where bucket = 'default' and key = $1
        """;

    public string Name => "storage";

    public async Task<IReadOnlyList<Measurement>> MeasureAsync(BenchmarkRun run, CancellationToken cancellationToken)
    {
        await using var sidecar = await InProcessSidecar.StartAsync(run.Installation, cancellationToken);
        await using var peer = NpgsqlDataSource.Create(
            new NpgsqlConnectionStringBuilder(run.Installation.Options.ConnectionString) { MaxAutoPrepare = 4, AutoPrepareMinUsages = 2 }
        );
        await AskAsync(peer, Put, "key:4711", "value 4711"u8.ToArray());
        await run.Installation.DeployAsync("stored", Repository.Beside("Invocations/storage.js"), "{}", cancellationToken);
        var get = await sidecar.PrepareAsync("stored", BenchmarkRun.User, """{"get":true,"id":4711}""", cancellationToken);
        var put = await sidecar.PrepareAsync("stored", BenchmarkRun.User, """{"put":true,"id":4711}""", cancellationToken);
        var without = await sidecar.PrepareAsync("stored", BenchmarkRun.User, """{"id":4711}""", cancellationToken);
        if (Encoding.UTF8.GetString((await sidecar.InvokeAsync(get)).Span) != """{"value":"value 4711"}""")
            throw new InvalidOperationException("The function does not see the object.");
        var samples = Enumerable.Range(0, 5).Select(_ => new Samples()).ToArray();
        await SteadyState.ReachAsync(() => RoundAsync([.. Enumerable.Range(0, 5).Select(_ => new Samples())]), cancellationToken);
        for (var i = 0; i < Rounds; i++)
        {
            cancellationToken.ThrowIfCancellationRequested();
            await RoundAsync(samples);
        }
        var (none, withGet, withPut, directGet, directPut) = (samples[0], samples[1], samples[2], samples[3], samples[4]);
        return
        [
            new(
                "storage.get of a small object: added time, median",
                "us",
                withGet.Median - none.Median,
                new Peer("Npgsql, prepared", directGet.Median),
                Goal.RatioAtMost(1.5)
            ),
            new(
                "storage.put of a small object: added time, median",
                "us",
                withPut.Median - none.Median,
                new Peer("Npgsql, prepared", directPut.Median),
                Goal.RatioAtMost(1.5)
            ),
        ];

        // In turns, so that whatever else the machine does, it does to all of them.
        async Task RoundAsync(Samples[] samples)
        {
            await samples[0].TimeAsync(() => sidecar.InvokeAsync(without));
            await samples[1].TimeAsync(() => sidecar.InvokeAsync(get));
            await samples[2].TimeAsync(() => sidecar.InvokeAsync(put));
            await samples[3].TimeAsync(() => AskAsync(peer, Get, "key:4711"));
            await samples[4].TimeAsync(() => AskAsync(peer, Put, "peer:4711", "value"u8.ToArray()));
        }
    }

    private static async Task AskAsync(NpgsqlDataSource peer, string sql, params object[] values)
    {
        await using var command = peer.CreateCommand(sql);
        foreach (var value in values)
            command.Parameters.Add(new NpgsqlParameter { Value = value });
        await using var reader = await command.ExecuteReaderAsync();
        if (!await reader.ReadAsync())
            throw new InvalidOperationException("The peer does not see the row.");
    }
}
