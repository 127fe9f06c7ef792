using Functions.PgSidecar.Core;
using Functions.PgSidecar.Core.Storage;
using Functions.PgSidecar.Core.Storage.Postgres;
using Microsoft.AspNetCore.Http.Features;

namespace Functions.PgSidecar.Http;

/// <summary>
/// <c>GET|HEAD|PUT /functions/v1/storage/{bucket}/{*key}</c>: objects, to whoever has a signed URL, and of public buckets to everybody.
/// </summary>
internal sealed class StorageEndpoints(
    BucketCatalog catalog,
    ObjectBackends backends,
    StorageUploads uploads,
    StorageMetrics metrics,
    TimeProvider time
)
{
    /// <summary>Adds the routes.</summary>
    public static void Map(IEndpointRouteBuilder routes)
    {
        var endpoints = routes.ServiceProvider.GetRequiredService<StorageEndpoints>();
        const string Pattern = SignedUrls.Path + "{bucket}/{**key}";
        routes.MapMethods(Pattern, ["GET", "HEAD"], endpoints.DownloadAsync);
        routes.MapPut(Pattern, endpoints.UploadAsync);
        routes.MapMethods(Pattern, ["OPTIONS"], StorageHeaders.WritePreflightAsync);
    }

    private async Task DownloadAsync(HttpContext context)
    {
        StorageHeaders.AllowOrigins(context.Response);
        if (await AccessAsync(context, "GET") is not var (access, key, grant))
            return;
        if (await FindAsync(access, key, context) is not { } found)
        {
            await NotFoundAsync(context);
            return;
        }
        var response = context.Response;
        StorageHeaders.Write(response, found.Head, grant);
        switch (HttpConditions.Check(context.Request.GetTypedHeaders(), found.Head))
        {
            case HttpConditionResult.Failed:
                await PreconditionFailedAsync(context);
                return;
            case HttpConditionResult.NotModified:
                response.StatusCode = StatusCodes.Status304NotModified;
                return;
        }
        if (TryFindRange(context, found.Head) is not { } range)
            return;
        response.ContentLength = range.Length;
        if (HttpMethods.IsGet(context.Request.Method))
            await SendAsync(context, access, found, range);
    }

    private async Task UploadAsync(HttpContext context)
    {
        StorageHeaders.AllowOrigins(context.Response);
        if (await AccessAsync(context, "PUT") is not var (access, key, grant))
            return;
        await uploads.ReceiveAsync(context, access, key, grant!);
    }

    /// <summary>
    /// What the request may reach; null if the response was sent. Without a token the answer is the same for what does not exist and
    /// what is not public, and with one it is the same whatever is wrong with it.
    /// </summary>
    private async ValueTask<(BucketAccess Access, string Key, UrlGrant? Grant)?> AccessAsync(HttpContext context, string method)
    {
        var (bucket, key) = await FindBucketAsync(context);
        if (context.Request.Query["token"] is [{ } token])
        {
            var grant = bucket is null ? null : SignedUrls.Verify(bucket, key!, token, time.GetUtcNow());
            if (grant?.Method == method)
                return (new BucketAccess(bucket!, grant.Subject, grant.IsOwnersOnly ? grant.Subject : null), key!, grant);
            await Problem.WriteAsync(
                context,
                StatusCodes.Status403Forbidden,
                "STORAGE_TOKEN_INVALID",
                "The URL is not signed for this request, or it has expired."
            );
            return null;
        }
        if (bucket is { IsPublic: true } && method == "GET")
            return (new BucketAccess(bucket, null, null), key!, null);
        await NotFoundAsync(context);
        return null;
    }

    /// <summary>The bucket and the key of a path. Taken from the path as it was sent: a server's path has no escaped slashes.</summary>
    private async ValueTask<(BucketDefinition? Bucket, string? Key)> FindBucketAsync(HttpContext context)
    {
        var name = (string)context.Request.RouteValues["bucket"]!;
        var start = SignedUrls.Path + name + "/";
        var target = context.Features.Get<IHttpRequestFeature>()?.RawTarget ?? "";
        if (!target.StartsWith(start, StringComparison.Ordinal))
            return default;
        var query = target.IndexOf('?', StringComparison.Ordinal);
        var key = Uri.UnescapeDataString(query < 0 ? target[start.Length..] : target[start.Length..query]);
        if (!ObjectKeys.IsText(key) || !SignedUrls.CanHave(key))
            return default;
        try
        {
            return (await catalog.FindAsync(name, context.RequestAborted), key);
        }
        catch (Exception e) when (BucketStore.Explain(e) is { } explained)
        {
            throw explained;
        }
    }

    private async Task<FoundObject?> FindAsync(BucketAccess access, string key, HttpContext context)
    {
        try
        {
            return await backends.Of(access).FindAsync(access, key, HttpMethods.IsGet(context.Request.Method), context.RequestAborted);
        }
        catch (Exception e) when (BucketStore.Explain(e) is { } explained)
        {
            throw explained;
        }
    }

    /// <summary>The bytes to send; null if the object has no such bytes, and the response was sent.</summary>
    private static ObjectRange? TryFindRange(HttpContext context, ObjectHead head)
    {
        var header = context.Request.Headers.Range.ToString();
        if (header.Length == 0 || !HttpConditions.PermitsRange(context.Request.GetTypedHeaders(), head))
            return ObjectRange.All(head.Size);
        try
        {
            if (ObjectRange.OfHeader(head.Size, header) is not { } range)
                return ObjectRange.All(head.Size);
            context.Response.StatusCode = StatusCodes.Status206PartialContent;
            context.Response.Headers.ContentRange = $"bytes {range.Offset}-{range.Offset + range.Length - 1}/{head.Size}";
            return range;
        }
        catch (SidecarException e) when (e.Status == StatusCodes.Status416RangeNotSatisfiable)
        {
            context.Response.Headers.ContentRange = $"bytes */{head.Size}";
            context.Response.StatusCode = e.Status;
            context.Response.ContentLength = 0;
            return null;
        }
    }

    private async Task SendAsync(HttpContext context, BucketAccess access, FoundObject found, ObjectRange range)
    {
        await using var reader = backends.Of(access).Read(access, found, range);
        try
        {
            while (true)
            {
                var bytes = await reader.ReadAsync(context.RequestAborted);
                if (bytes.IsEmpty)
                    return;
                await context.Response.Body.WriteAsync(bytes, context.RequestAborted);
                metrics.CountRead(bytes.Length);
            }
        }
        catch (Exception e) when (e is SidecarException || BucketStore.Explain(e) is not null)
        {
            // The status has been sent: only a broken connection tells that the rest is missing.
            context.Abort();
        }
    }

    private static Task NotFoundAsync(HttpContext context) =>
        Problem.WriteAsync(context, StatusCodes.Status404NotFound, "STORAGE_NOT_FOUND", "There is no such object, or it is not public.");

    /// <summary>Responds that the present object is not as the request demands.</summary>
    public static Task PreconditionFailedAsync(HttpContext context) =>
        Problem.WriteAsync(
            context,
            StatusCodes.Status412PreconditionFailed,
            "STORAGE_PRECONDITION_FAILED",
            "The present object does not meet the request's conditions."
        );
}
