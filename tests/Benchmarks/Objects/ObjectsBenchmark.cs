using System.Security.Cryptography;
using Functions.PgSidecar.Benchmarks.Report;

namespace Functions.PgSidecar.Benchmarks.Objects;

/// <summary>The cache and object storage over HTTP, beside Miniflare, which runs the same module with KV and R2 of its own.</summary>
internal sealed class ObjectsBenchmark : IBenchmark
{
    /// <summary>A function that hands on 256 MiB needs more time than functions have by default.</summary>
    private const string FunctionOptions = """{"timeout_ms": 120000, "cpu_ms": 120000}""";

    public string Name => "objects";

    public async Task<IReadOnlyList<Measurement>> MeasureAsync(BenchmarkRun run, CancellationToken cancellationToken)
    {
        var measurements = await MeasureServersAsync(run, cancellationToken);
        // The objects that were replaced would be deleted, row by row, while the next benchmarks run.
        await using var command = run.Installation.Owner.CreateCommand(
            """
            drop table bench.object_chunks;
            truncate functions_private.objects, functions_private.object_contents, functions_private.object_chunks,
                functions_private.bucket_usage
            """
        );
        await command.ExecuteNonQueryAsync(cancellationToken);
        return measurements;
    }

    private static async Task<IReadOnlyList<Measurement>> MeasureServersAsync(BenchmarkRun run, CancellationToken cancellationToken)
    {
        var module = Path.Combine(run.Repository.Peers, "objects.js");
        // Miniflare's S3 is on loopback.
        await using var sidecar = await run.Installation.ServeAsync(cancellationToken, ("PGFN_HTTP_ALLOW_NETWORKS", "127.0.0.0/8"));
        await run.Installation.DeployAsync("objects", module, FunctionOptions, cancellationToken);
        var token = await run.Installation.TokenAsync(BenchmarkRun.User, cancellationToken);
        await using var miniflare = await MiniflareServer.StartAsync(run, module, cancellationToken);
        if (miniflare is null)
            await Console.Error.WriteLineAsync("Miniflare or Node.js 22 is not installed: its figures are left out.");

        using var ours = new ObjectServer(sidecar.Name, new Uri(sidecar.Url, "/functions/v1/invoke/objects/"), token);
        using var peer = miniflare is null ? null : new ObjectServer(miniflare.Name, miniflare.Url, token);
        using var signed = new SignedUrls(run, sidecar, "default");
        var bytes = RandomNumberGenerator.GetBytes(Transfer.Bytes);
        var table = new ChunkTable(run.Installation.Owner);
        await table.CreateAsync(cancellationToken);
        List<Measurement> measurements =
        [
            .. await new SmallOperations(run, ours, peer).MeasureAsync(cancellationToken),
            .. await new LargeObjects(ours, signed, peer, table).MeasureAsync(bytes, cancellationToken),
        ];
        if (miniflare is not null && await AwsCommand.IsInstalledAsync(cancellationToken))
            measurements.AddRange(await new ObjectsInS3(run, sidecar, miniflare).MeasureAsync(bytes, cancellationToken));
        else
            await Console.Error.WriteLineAsync("aws or Miniflare is not installed: the figures of buckets in S3 are left out.");
        return measurements;
    }
}
