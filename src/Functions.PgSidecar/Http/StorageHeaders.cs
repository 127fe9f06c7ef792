using System.Text.Json;
using Functions.PgSidecar.Core.Storage;
using Microsoft.Net.Http.Headers;

namespace Functions.PgSidecar.Http;

/// <summary>
/// The headers of an object. Buckets are on the origin of the functions, and what is in them may come from anybody: a page or an image with
/// scripts must not run there. What is not known to be harmless is therefore only stored by browsers, and never shown.
/// </summary>
internal static class StorageHeaders
{
    private static readonly string[] ShownTypes =
    [
        "image/png",
        "image/jpeg",
        "image/gif",
        "image/webp",
        "image/avif",
        "image/bmp",
        "image/x-icon",
        "application/pdf",
        "application/json",
        "text/plain",
        "text/csv",
    ];

    /// <summary>Answers the question of a browser whether a page of another origin may do this. A token is all that it needs.</summary>
    public static Task WritePreflightAsync(HttpContext context)
    {
        AllowOrigins(context.Response);
        var headers = context.Response.Headers;
        headers.AccessControlAllowMethods = "GET, HEAD, PUT";
        headers.AccessControlAllowHeaders =
            "content-type, content-md5, content-language, content-encoding, range, if-match, if-none-match, if-modified-since, "
            + "if-unmodified-since, if-range";
        headers.AccessControlMaxAge = "86400";
        context.Response.StatusCode = StatusCodes.Status204NoContent;
        return Task.CompletedTask;
    }

    /// <summary>Lets pages of every origin read the answer: the sidecar sends and takes no cookies here.</summary>
    public static void AllowOrigins(HttpResponse response)
    {
        response.Headers.AccessControlAllowOrigin = "*";
        response.Headers.AccessControlExposeHeaders = "ETag, Content-Length, Content-Range, Last-Modified, Content-Disposition";
    }

    /// <summary>Writes the headers of an object.</summary>
    public static void Write(HttpResponse response, ObjectHead head, UrlGrant? grant)
    {
        using var json = JsonDocument.Parse(head.Metadata.Http);
        var metadata = json.RootElement;
        var headers = response.Headers;
        var type = Text(metadata, "contentType") ?? "application/octet-stream";
        headers.ContentType = type;
        headers.ETag = $"\"{head.ETag}\"";
        headers.LastModified = HeaderUtilities.FormatDate(head.Uploaded);
        headers.AcceptRanges = "bytes";
        headers.ContentLanguage = Text(metadata, "contentLanguage");
        headers.ContentEncoding = Text(metadata, "contentEncoding");
        // A shared cache must not keep what only a token opens.
        headers.CacheControl = grant is null ? Text(metadata, "cacheControl") ?? "no-cache" : "private, no-cache";
        if (metadata.TryGetProperty("cacheExpiry"u8, out var expiry) && grant is null)
            headers.Expires = HeaderUtilities.FormatDate(DateTimeOffset.FromUnixTimeMilliseconds(expiry.GetInt64()));
        var isShown = IsShown(type);
        headers.ContentDisposition = Disposition(Text(metadata, "contentDisposition"), grant?.Download, isShown);
        headers.XContentTypeOptions = "nosniff";
        headers.ContentSecurityPolicy = isShown ? "default-src 'none'" : "default-src 'none'; sandbox";
        if (grant is not null)
            headers["Referrer-Policy"] = "no-referrer"; // the token is in the URL
    }

    private static string? Disposition(string? stored, string? download, bool isShown)
    {
        if (download is not null)
            return Attachment(download);
        if (stored is not null && ContentDispositionHeaderValue.TryParse(stored, out var given))
        {
            if (isShown || given.DispositionType.Equals("attachment", StringComparison.OrdinalIgnoreCase))
                return stored;
            var name = given.FileNameStar.HasValue ? given.FileNameStar : given.FileName;
            return name.HasValue ? Attachment(HeaderUtilities.RemoveQuotes(name).ToString()) : "attachment";
        }
        return isShown ? null : "attachment";
    }

    private static string Attachment(string name)
    {
        var value = new ContentDispositionHeaderValue("attachment");
        value.SetHttpFileName(name);
        return value.ToString();
    }

    private static bool IsShown(string type)
    {
        if (!MediaTypeHeaderValue.TryParse(type, out var parsed))
            return false;
        var name = parsed.MediaType.ToString().ToLowerInvariant();
        return ShownTypes.Contains(name, StringComparer.Ordinal)
            || name.StartsWith("audio/", StringComparison.Ordinal)
            || name.StartsWith("video/", StringComparison.Ordinal)
            || name.StartsWith("font/", StringComparison.Ordinal);
    }

    /// <summary>A text that a header can carry: a function may have stored any.</summary>
    private static string? Text(JsonElement metadata, string name) =>
        metadata.TryGetProperty(name, out var value)
        && value.GetString() is { Length: > 0 } text
        && text.All(c => c is >= ' ' and <= 'ÿ' and not '\u007f')
            ? text
            : null;
}
