using Functions.PgSidecar.Core.Storage;
using Functions.PgSidecar.Core.Storage.Postgres;

namespace Functions.PgSidecar.Core.Code;

/// <summary>Reads, writes and removes objects of buckets of code.</summary>
internal sealed class CodeBuckets(CodeBucketCatalog catalog, ObjectBackends backends, TimeProvider time)
{
    /// <summary>The longest that one operation may take; a caller of a function may wait for it.</summary>
    private static readonly TimeSpan Timeout = TimeSpan.FromMinutes(1);

    private static readonly ObjectMetadata Metadata = new("{}", "{}", "Standard");

    /// <summary>Reads an object, as far as it has the length that it should have.</summary>
    /// <exception cref="CodeCopyException">It is missing, has another length, or can't be read.</exception>
    public Task<byte[]> ReadAsync(StoredCode place, CancellationToken cancellationToken) =>
        RunAsync(
            place.Bucket,
            async (bucket, token) =>
            {
                // Also in a copy of a database, which holds the bucket: reading changes nothing of the original's.
                var access = new BucketAccess(bucket with { IsHeld = false }, null, null);
                var backend = backends.Of(access);
                var found = await backend.FindAsync(access, place.Key, withData: true, token).ConfigureAwait(false);
                if (found is null)
                    throw new CodeCopyException($"the bucket '{place.Bucket}' has no object '{place.Key}'", isPassing: false);
                // Before it is read: an object that somebody replaced can be of any size.
                if (found.Head.Size != place.Bytes)
                    throw new CodeCopyException(
                        $"the object '{place.Key}' of the bucket '{place.Bucket}' has {found.Head.Size} bytes instead of {place.Bytes}",
                        isPassing: false
                    );
                var code = new byte[place.Bytes];
                await using var reader = backend.Read(access, found, ObjectRange.All(place.Bytes));
                for (var length = 0; length < code.Length; )
                {
                    var piece = await reader.ReadAsync(token).ConfigureAwait(false);
                    if (piece.IsEmpty)
                        throw new CodeCopyException($"the object '{place.Key}' of the bucket '{place.Bucket}' is cut", isPassing: false);
                    piece.CopyTo(code.AsMemory(length));
                    length += piece.Length;
                }
                return code;
            },
            cancellationToken
        );

    /// <summary>Writes an object.</summary>
    /// <exception cref="CodeCopyException">It can't be written.</exception>
    public Task WriteAsync(StoredCode place, ReadOnlyMemory<byte> code, CancellationToken cancellationToken) =>
        RunAsync(
            place.Bucket,
            async (bucket, token) =>
            {
                var access = new BucketAccess(bucket, null, null);
                await using var writer = backends.Of(access).Write(access, place.Key, Metadata, digest: null);
                await writer.WriteAsync(code, token).ConfigureAwait(false);
                return await writer.CompleteAsync(condition: null, token).ConfigureAwait(false);
            },
            cancellationToken
        );

    /// <summary>Removes an object; one that is not there is no error.</summary>
    /// <exception cref="CodeCopyException">It can't be removed.</exception>
    public Task DeleteAsync(string name, string key, CancellationToken cancellationToken) =>
        RunAsync(
            name,
            async (bucket, token) =>
            {
                var access = new BucketAccess(bucket, null, null);
                await backends.Of(access).DeleteAsync(access, [key], token).ConfigureAwait(false);
                return true;
            },
            cancellationToken
        );

    private async Task<T> RunAsync<T>(
        string name,
        Func<BucketDefinition, CancellationToken, Task<T>> run,
        CancellationToken cancellationToken
    )
    {
        using var timeout = new CancellationTokenSource(Timeout, time);
        using var both = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken, timeout.Token);
        try
        {
            var bucket = await catalog.FindAsync(name, both.Token).ConfigureAwait(false);
            if (bucket is null)
                throw new CodeCopyException($"there is no bucket '{name}'", isPassing: false);
            return await run(bucket, both.Token).ConfigureAwait(false);
        }
        catch (OperationCanceledException e) when (!cancellationToken.IsCancellationRequested)
        {
            throw new CodeCopyException($"the bucket '{name}' did not answer within {Timeout.TotalSeconds:0} s", isPassing: true, e);
        }
        catch (Exception e) when ((e as SidecarException ?? BucketStore.Explain(e)) is { } explained)
        {
            throw new CodeCopyException(explained.Message.TrimEnd('.'), isPassing: true, e);
        }
    }
}
