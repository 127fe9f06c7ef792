using System.Security.Cryptography;
using System.Text.Json;
using Functions.PgSidecar.Benchmarks.Processes;
using Functions.PgSidecar.Benchmarks.Report;

namespace Functions.PgSidecar.Benchmarks.Objects;

/// <summary>
/// A bucket of the sidecar whose objects are in S3, that of Miniflare, beside <c>aws s3 cp</c> with the same service: MB/s of one object.
/// No goal is set: the service takes most of the time. Miniflare does not answer "Expect: 100-continue", which both clients send; the
/// sidecar waits 0.1 s for that.
/// </summary>
internal sealed class ObjectsInS3(BenchmarkRun run, ServerProcess sidecar, ServerProcess miniflare)
{
    private const string Bucket = "in-s3";
    private const string Key = "large";
    private const string PeerUrl = $"s3://{MiniflareServer.Bucket}/aws/{Key}";

    private readonly Uri endpoint = MiniflareServer.S3Endpoint(miniflare);

    public async Task<IReadOnlyList<Measurement>> MeasureAsync(byte[] bytes, CancellationToken cancellationToken)
    {
        await CreateBucketAsync(cancellationToken);
        using var signed = new SignedUrls(run, sidecar, Bucket);
        var aws = new AwsCommand(endpoint);
        var source = Path.GetTempFileName();
        var copy = Path.GetTempFileName();
        try
        {
            await File.WriteAllBytesAsync(source, bytes, cancellationToken);
            await CheckAsync(signed, aws, source, copy, cancellationToken);
            List<double> oursIn = [],
                peerIn = [],
                oursOut = [],
                peerOut = [];
            for (var i = 0; i < LargeObjects.Repetitions; i++)
            {
                oursIn.Add(await signed.UploadAsync(Key, bytes, cancellationToken));
                peerIn.Add(await aws.CopyAsync(source, PeerUrl, cancellationToken));
                oursOut.Add(await signed.DownloadAsync(Key, cancellationToken));
                peerOut.Add(await aws.CopyAsync(PeerUrl, copy, cancellationToken));
            }
            return
            [
                Row("256 MiB into Miniflare's S3, by a signed URL", oursIn, peerIn),
                Row("256 MiB out of Miniflare's S3, by a signed URL", oursOut, peerOut),
            ];
        }
        finally
        {
            File.Delete(source);
            File.Delete(copy);
        }
    }

    /// <summary>Every way is gone once before it counts, and gives back what was put.</summary>
    private static async Task CheckAsync(SignedUrls signed, AwsCommand aws, string source, string copy, CancellationToken cancellationToken)
    {
        var bytes = await File.ReadAllBytesAsync(source, cancellationToken);
        var digest = Convert.ToHexStringLower(SHA256.HashData(bytes));
        await signed.UploadAsync(Key, bytes, cancellationToken);
        await aws.CopyAsync(source, PeerUrl, cancellationToken);
        await aws.CopyAsync(PeerUrl, copy, cancellationToken);
        await using var copied = File.OpenRead(copy);
        string[] digests =
        [
            await signed.DigestAsync(Key, cancellationToken),
            Convert.ToHexStringLower(await SHA256.HashDataAsync(copied, cancellationToken)),
        ];
        if (digests.Any(other => other != digest))
            throw new InvalidOperationException("An object came back from S3 with other bytes than were put.");
    }

    private async Task CreateBucketAsync(CancellationToken cancellationToken)
    {
        var s3 = new Dictionary<string, string>
        {
            ["endpoint"] = endpoint.ToString(),
            ["bucket"] = MiniflareServer.Bucket,
            ["prefix"] = "sidecar/",
            ["access_key_id"] = MiniflareServer.AccessKeyId,
            ["secret_access_key"] = MiniflareServer.SecretAccessKey,
        };
        await using var command = run.Installation.Owner.CreateCommand(
            "select functions.create_bucket($1, jsonb_build_object('s3', $2::jsonb))"
        );
        command.Parameters.AddWithValue(Bucket);
        command.Parameters.AddWithValue(JsonSerializer.Serialize(s3));
        await command.ExecuteNonQueryAsync(cancellationToken);
    }

    private static Measurement Row(string name, List<double> ours, List<double> peer) =>
        new(name, "MB/s", Samples.MedianOf(ours), new Peer("aws s3 cp", Samples.MedianOf(peer)));
}
