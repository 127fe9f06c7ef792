using Amazon.S3;
using Amazon.S3.Model;

namespace Functions.PgSidecar.Core.Storage.S3;

/// <summary>Writes a part of an upload. It is collected in a temporary file, because the service must be told its length first.</summary>
internal sealed class S3PartWriter(AmazonS3Client client, BucketAccess access, string key, string upload, int number) : ObjectWriter
{
    private readonly FileStream file = Create();

    /// <inheritdoc/>
    public override async ValueTask WriteAsync(ReadOnlyMemory<byte> bytes, CancellationToken cancellationToken)
    {
        if (file.Length + bytes.Length > access.Bucket.MaxObjectBytes)
            throw StorageErrors.TooLarge();
        await file.WriteAsync(bytes, cancellationToken).ConfigureAwait(false);
    }

    /// <inheritdoc/>
    public override async Task<WrittenObject> CompleteAsync(ObjectCondition? condition, CancellationToken cancellationToken)
    {
        file.Position = 0;
        var location = access.Bucket.S3!;
        var request = new UploadPartRequest
        {
            BucketName = location.Bucket,
            Key = location.Prefix + key,
            UploadId = upload,
            PartNumber = number,
            InputStream = file,
            PartSize = file.Length,
            UseChunkEncoding = false,
        };
        var answer = await S3Calls.CallAsync(() => client.UploadPartAsync(request, cancellationToken)).ConfigureAwait(false);
        return new WrittenObject(null, new UploadedPart(number, answer.ETag.Trim('"')));
    }

    /// <inheritdoc/>
    public override ValueTask DisposeAsync() => file.DisposeAsync();

    private static FileStream Create()
    {
        var options = new FileStreamOptions
        {
            Mode = FileMode.CreateNew,
            Access = FileAccess.ReadWrite,
            Options = FileOptions.DeleteOnClose | FileOptions.Asynchronous,
        };
        if (!OperatingSystem.IsWindows())
            options.UnixCreateMode = UnixFileMode.UserRead | UnixFileMode.UserWrite;
        return new FileStream(Path.Combine(Path.GetTempPath(), $"pgfn-part-{Guid.NewGuid():n}"), options);
    }
}
