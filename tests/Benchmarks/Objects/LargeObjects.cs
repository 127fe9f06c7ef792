using System.Security.Cryptography;
using Functions.PgSidecar.Benchmarks.Report;

namespace Functions.PgSidecar.Benchmarks.Objects;

/// <summary>One object of 256 MiB, in and out, in turns between the servers: MB/s, the medians of three.</summary>
internal sealed class LargeObjects(ObjectServer ours, SignedUrls signed, ObjectServer? peer, ChunkTable table)
{
    public const int Repetitions = 3;

    private const string Key = "large";
    private const double Least = 200;

    public async Task<IReadOnlyList<Measurement>> MeasureAsync(byte[] bytes, CancellationToken cancellationToken)
    {
        await CheckAsync(bytes, cancellationToken);
        List<double> signedIn = [],
            peerIn = [],
            tableIn = [],
            signedOut = [],
            functionOut = [],
            peerOut = [];
        for (var i = 0; i < Repetitions; i++)
        {
            signedIn.Add(await signed.UploadAsync(Key, bytes, cancellationToken));
            tableIn.Add(await table.InsertAsync(bytes, cancellationToken));
            if (peer is not null)
                peerIn.Add(await peer.UploadAsync(Key, bytes, cancellationToken));
            signedOut.Add(await signed.DownloadAsync(Key, cancellationToken));
            functionOut.Add(await ours.DownloadAsync(Key, cancellationToken));
            if (peer is not null)
                peerOut.Add(await peer.DownloadAsync(Key, cancellationToken));
        }
        return
        [
            Row("256 MiB in, by a signed URL", signedIn, Through(peerIn), Goal.AtLeast(Least)),
            Row("256 MiB in, by a signed URL", signedIn, new Peer("the same chunks by Npgsql", Samples.MedianOf(tableIn)), null),
            Row("256 MiB out, by a signed URL", signedOut, Through(peerOut), Goal.AtLeast(Least)),
            Row("256 MiB out, through the function", functionOut, Through(peerOut), Goal.AtLeast(Least)),
        ];

        Peer? Through(List<double> rates) => peer is null ? null : new Peer($"{peer.Name}, through its Worker", Samples.MedianOf(rates));
    }

    /// <summary>Every way is gone once before it counts, and gives back what was put.</summary>
    private async Task CheckAsync(byte[] bytes, CancellationToken cancellationToken)
    {
        var digest = Convert.ToHexStringLower(SHA256.HashData(bytes));
        await signed.UploadAsync(Key, bytes, cancellationToken);
        List<string> digests = [await signed.DigestAsync(Key, cancellationToken), await ours.DigestAsync(Key, cancellationToken)];
        if (peer is not null)
        {
            await peer.UploadAsync(Key, bytes, cancellationToken);
            digests.Add(await peer.DigestAsync(Key, cancellationToken));
        }
        if (digests.Any(other => other != digest))
            throw new InvalidOperationException("An object came back with other bytes than were put.");
    }

    private static Measurement Row(string name, List<double> ours, Peer? peer, Goal? goal) =>
        new(name, "MB/s", Samples.MedianOf(ours), peer, goal);
}
