using System.Buffers;
using System.Text.Json;
using Functions.PgSidecar.Core.Storage;
using Functions.PgSidecar.Core.Storage.Postgres;
using Microsoft.AspNetCore.Http.Features;
using Microsoft.AspNetCore.Server.Kestrel.Core.Features;
using BadHttpRequestException = Microsoft.AspNetCore.Http.BadHttpRequestException;
using MinDataRate = Microsoft.AspNetCore.Server.Kestrel.Core.MinDataRate;

namespace Functions.PgSidecar.Http;

/// <summary>Receives objects over signed URLs, in chunks, so that their size does not matter for the sidecar's memory.</summary>
internal sealed class StorageUploads(ObjectBackends backends, StorageMetrics metrics)
{
    /// <summary>The most uploads at once; each has buffers of a megabyte, and could be slow for hours.</summary>
    private const int MaxUploads = 64;

    /// <summary>A client that sends less does not upload; it keeps one of the places.</summary>
    private static readonly MinDataRate LeastRate = new(bytesPerSecond: 1024, gracePeriod: TimeSpan.FromSeconds(20));

    private const int PieceBytes = 64 * 1024;

    private int running;

    /// <summary>Receives an object, and answers.</summary>
    public async Task ReceiveAsync(HttpContext context, BucketAccess access, string key, UrlGrant grant)
    {
        var request = context.Request;
        if (grant.ContentType is { } type && request.ContentType != type)
        {
            await Problem.WriteAsync(
                context,
                StatusCodes.Status415UnsupportedMediaType,
                "STORAGE_TYPE_REFUSED",
                $"The URL is signed for uploads of the content type {type}."
            );
            return;
        }
        if (Interlocked.Increment(ref running) > MaxUploads)
        {
            Interlocked.Decrement(ref running);
            await Problem.WriteAsync(
                context,
                StatusCodes.Status503ServiceUnavailable,
                "STORAGE_BUSY",
                $"More than {MaxUploads} uploads arrive at this sidecar.",
                1
            );
            return;
        }
        try
        {
            var most = Math.Min(grant.MaxBytes ?? long.MaxValue, access.Bucket.MaxObjectBytes);
            Limit(context, most);
            await StoreAsync(context, access, key, most);
        }
        catch (Exception e) when (BucketStore.Explain(e) is { } explained)
        {
            throw explained;
        }
        finally
        {
            Interlocked.Decrement(ref running);
        }
    }

    private static void Limit(HttpContext context, long bytes)
    {
        if (context.Request.ContentLength > bytes)
            throw TooLarge(bytes);
        // The server would count the framing of a chunked body too. What arrives is counted below.
        if (context.Features.Get<IHttpMaxRequestBodySizeFeature>() is { IsReadOnly: false } size)
            size.MaxRequestBodySize = null;
        if (context.Features.Get<IHttpMinRequestBodyDataRateFeature>() is { } rate)
            rate.MinDataRate = LeastRate;
    }

    private static BadHttpRequestException TooLarge(long bytes) =>
        new($"The object may have at most {bytes} bytes.", StatusCodes.Status413PayloadTooLarge);

    private async Task StoreAsync(HttpContext context, BucketAccess access, string key, long most)
    {
        var request = context.Request;
        if (!TryReadDigest(request, out var digest) || !TryReadCondition(request, out var condition))
            throw new BadHttpRequestException("A header of the request can't be read: Content-MD5, If-Match or If-None-Match.");
        await using var writer = backends.Of(access).Write(access, key, MetadataOf(request), digest);
        var piece = ArrayPool<byte>.Shared.Rent(PieceBytes);
        var received = 0L;
        try
        {
            while (true)
            {
                var read = await request.Body.ReadAsync(piece, context.RequestAborted);
                if (read == 0)
                    break;
                received += read;
                if (received > most)
                    throw TooLarge(most);
                await writer.WriteAsync(piece.AsMemory(0, read), context.RequestAborted);
                metrics.CountWritten(read);
            }
        }
        finally
        {
            ArrayPool<byte>.Shared.Return(piece);
        }
        var written = await writer.CompleteAsync(condition, context.RequestAborted);
        if (written.Head is not { } head)
        {
            await StorageEndpoints.PreconditionFailedAsync(context);
            return;
        }
        await AnswerAsync(context, head);
    }

    private static async Task AnswerAsync(HttpContext context, ObjectHead head)
    {
        var json = new ArrayBufferWriter<byte>(256);
        using (var writer = new Utf8JsonWriter(json))
        {
            writer.WriteStartObject();
            writer.WriteString("key"u8, head.Key);
            writer.WriteNumber("size"u8, head.Size);
            writer.WriteString("etag"u8, head.ETag);
            writer.WriteString("version"u8, head.Version);
            writer.WriteEndObject();
        }
        context.Response.ContentType = "application/json";
        context.Response.ContentLength = json.WrittenCount;
        context.Response.Headers.ETag = $"\"{head.ETag}\"";
        await context.Response.Body.WriteAsync(json.WrittenMemory, context.RequestAborted);
    }

    /// <summary>What the client may state; how caches and browsers treat the object is not its matter.</summary>
    private static ObjectMetadata MetadataOf(HttpRequest request)
    {
        var http = new Dictionary<string, string>();
        Add("contentType", request.ContentType);
        Add("contentLanguage", request.Headers.ContentLanguage);
        Add("contentEncoding", request.Headers.ContentEncoding);
        return new ObjectMetadata(JsonSerializer.Serialize(http), "{}", "Standard");

        void Add(string name, string? value)
        {
            if (string.IsNullOrEmpty(value))
                return;
            http[name] = value.Length <= 256 ? value : throw new BadHttpRequestException($"The {name} has more than 256 characters.");
        }
    }

    private static bool TryReadDigest(HttpRequest request, out GivenDigest? digest)
    {
        digest = null;
        var header = request.Headers.ContentMD5.ToString();
        if (header.Length == 0)
            return true;
        var md5 = new byte[16];
        digest = new GivenDigest("md5", md5);
        return header.Length == 24 && Convert.TryFromBase64String(header, md5, out var length) && length == md5.Length;
    }

    private static bool TryReadCondition(HttpRequest request, out ObjectCondition? condition)
    {
        condition = null;
        var (match, noneMatch) = (request.Headers.IfMatch.ToString(), request.Headers.IfNoneMatch.ToString());
        if (match.Length + noneMatch.Length == 0)
            return true;
        condition = new ObjectCondition
        {
            ETagMatches = match.Length == 0 ? null : ETagPattern.ParseList(match),
            ETagDoesNotMatch = noneMatch.Length == 0 ? null : ETagPattern.ParseList(noneMatch),
        };
        return (match.Length == 0 || condition.ETagMatches is not null)
            && (noneMatch.Length == 0 || condition.ETagDoesNotMatch is not null);
    }
}
