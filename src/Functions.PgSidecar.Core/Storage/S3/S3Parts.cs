using Amazon.S3;
using Amazon.S3.Model;

namespace Functions.PgSidecar.Core.Storage.S3;

/// <summary>
/// The parts of one object on their way to the service, several at once. Each is in memory until the service has it. Not thread-safe.
/// </summary>
/// <param name="client">The service.</param>
/// <param name="others">What all objects that are written at this moment may send besides one part each.</param>
internal sealed class S3Parts(AmazonS3Client client, SemaphoreSlim others) : IAsyncDisposable
{
    /// <summary>The most parts of one object on their way.</summary>
    private const int MaxSending = 4;

    private readonly Queue<(Task<PartETag> Answer, MemoryStream Body, bool IsOther)> sending = new();
    private readonly Stack<MemoryStream> free = new();
    private readonly List<PartETag> done = [];
    private readonly CancellationTokenSource ended = new();
    private int count;

    /// <summary>Memory for the next part.</summary>
    public MemoryStream Take() => free.TryPop(out var used) ? used : new MemoryStream();

    /// <summary>Sends a part. If as many are on their way as may be, it waits for the first of them.</summary>
    /// <param name="request">Where to.</param>
    /// <param name="body">The part; it may not be changed any more.</param>
    /// <exception cref="SidecarException">An earlier part was refused.</exception>
    public async Task SendAsync(InitiatedUpload request, MemoryStream body)
    {
        bool isOther;
        while (!MaySend(out isOther))
            await CompleteFirstAsync().ConfigureAwait(false);
        sending.Enqueue((UploadAsync(request, ++count, body, isOther), body, isOther));
    }

    /// <summary>Waits until the service has all parts.</summary>
    /// <returns>The parts in their order.</returns>
    /// <exception cref="SidecarException">A part was refused.</exception>
    public async Task<List<PartETag>> CompleteAsync()
    {
        while (sending.Count > 0)
            await CompleteFirstAsync().ConfigureAwait(false);
        return done;
    }

    /// <summary>
    /// Cancels the parts on their way, and waits until there is none: one that arrived after the upload was aborted would stay in the
    /// service.
    /// </summary>
    public async ValueTask DisposeAsync()
    {
        await ended.CancelAsync().ConfigureAwait(false);
        await Task.WhenAll(sending.Select(static Task (one) => one.Answer)).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        ended.Dispose();
    }

    /// <param name="isOther">Whether it is one of the other parts, of which this sidecar may send a number.</param>
    private bool MaySend(out bool isOther)
    {
        isOther = sending.Any(static one => !one.IsOther);
        return sending.Count < MaxSending && (!isOther || others.Wait(0));
    }

    private async Task CompleteFirstAsync()
    {
        done.Add(await sending.Peek().Answer.ConfigureAwait(false));
        var body = sending.Dequeue().Body;
        body.SetLength(0);
        free.Push(body);
    }

    private async Task<PartETag> UploadAsync(InitiatedUpload upload, int number, MemoryStream part, bool isOther)
    {
        try
        {
            using var cancellation = CancellationTokenSource.CreateLinkedTokenSource(upload.Cancellation, ended.Token);
            using var body = new MemoryStream(part.GetBuffer(), 0, (int)part.Length, writable: false);
            var request = new UploadPartRequest
            {
                BucketName = upload.Bucket,
                Key = upload.Key,
                UploadId = upload.Id,
                PartNumber = number,
                InputStream = body,
                PartSize = body.Length,
                UseChunkEncoding = false,
            };
            var answer = await S3Calls.CallAsync(() => client.UploadPartAsync(request, cancellation.Token)).ConfigureAwait(false);
            return new PartETag(number, answer.ETag);
        }
        finally
        {
            if (isOther)
                others.Release();
        }
    }
}

/// <summary>An upload in parts.</summary>
/// <param name="Bucket">The service's bucket.</param>
/// <param name="Key">The object's key there.</param>
/// <param name="Id">The upload's id.</param>
/// <param name="Cancellation">Gives it up.</param>
internal readonly record struct InitiatedUpload(string Bucket, string Key, string Id, CancellationToken Cancellation);
