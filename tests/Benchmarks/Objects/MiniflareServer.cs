using Functions.PgSidecar.Benchmarks.Processes;

namespace Functions.PgSidecar.Benchmarks.Objects;

/// <summary>Miniflare with the module that the sidecar also runs. It keeps KV and R2 in files, and speaks S3 for its R2 bucket.</summary>
internal static class MiniflareServer
{
    public const string Name = "Miniflare";

    /// <summary>Its R2 bucket, as clients of S3 call it.</summary>
    public const string Bucket = "objects";

    public const string AccessKeyId = "the-access-key";
    public const string SecretAccessKey = "the-secret-access-key";

    /// <summary>Under the names that the program <c>aws</c> reads.</summary>
    public static IReadOnlyDictionary<string, string> Credentials { get; } =
        new Dictionary<string, string> { ["AWS_ACCESS_KEY_ID"] = AccessKeyId, ["AWS_SECRET_ACCESS_KEY"] = SecretAccessKey };

    /// <summary>Starts it; <see langword="null"/> where it or a Node.js that can run it is not installed.</summary>
    public static async Task<ServerProcess?> StartAsync(BenchmarkRun run, string module, CancellationToken cancellationToken) =>
        run.PeerNode is { } node && run.Repository.HasPeer("miniflare")
            ? await ServerProcess.StartAsync(
                Name,
                node,
                [Path.Combine(run.Repository.Peers, "miniflare.mjs"), module],
                Credentials,
                cancellationToken
            )
            : null;

    /// <summary>Where its S3 is, given where it serves.</summary>
    public static Uri S3Endpoint(ServerProcess server) => new(server.Url, "/cdn-cgi/local/r2/s3");
}
