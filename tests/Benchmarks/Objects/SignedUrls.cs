using Functions.PgSidecar.Benchmarks.Processes;

namespace Functions.PgSidecar.Benchmarks.Objects;

/// <summary>Objects of the sidecar, reached by signed URLs.</summary>
internal sealed class SignedUrls(BenchmarkRun run, ServerProcess sidecar, string bucket) : IDisposable
{
    private readonly HttpClient client = new() { Timeout = TimeSpan.FromMinutes(5) };

    public async Task<double> UploadAsync(string key, byte[] bytes, CancellationToken cancellationToken) =>
        await Transfer.UploadAsync(client, await SignAsync(key, "PUT", cancellationToken), bytes, cancellationToken);

    public async Task<double> DownloadAsync(string key, CancellationToken cancellationToken) =>
        await Transfer.DownloadAsync(client, await SignAsync(key, "GET", cancellationToken), cancellationToken);

    public async Task<string> DigestAsync(string key, CancellationToken cancellationToken) =>
        await Transfer.DigestAsync(client, await SignAsync(key, "GET", cancellationToken), cancellationToken);

    public void Dispose() => client.Dispose();

    private async Task<Uri> SignAsync(string key, string method, CancellationToken cancellationToken)
    {
        await using var command = run.Installation.Owner.CreateCommand(
            "select functions.signed_url($1, $2, jsonb_build_object('method', $3::text))"
        );
        foreach (var value in new[] { bucket, key, method })
            command.Parameters.AddWithValue(value);
        return new Uri(sidecar.Url, (string)(await command.ExecuteScalarAsync(cancellationToken))!);
    }
}
