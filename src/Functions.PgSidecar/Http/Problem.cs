using System.Buffers;
using System.Text.Encodings.Web;
using System.Text.Json;
using Functions.PgSidecar.Core.Auth;
using Microsoft.AspNetCore.WebUtilities;

namespace Functions.PgSidecar.Http;

/// <summary>
/// Writes failures as RFC 9457 problem details that also carry the members of AeroDB's error format:
/// <c>{"type","title","status","detail","code","error":"500 Internal Server Error","message","request_id"}</c>.
/// </summary>
internal static class Problem
{
    /// <summary>Quotes and umlauts are not escaped: the response is JSON by its content type, and never part of a page.</summary>
    private static readonly JsonWriterOptions Readable = new() { Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping };

    /// <summary>Responds that there is no such endpoint.</summary>
    public static Task NotFoundAsync(HttpContext context) =>
        WriteAsync(
            context,
            StatusCodes.Status404NotFound,
            "NOT_FOUND",
            "The path does not exist; functions are at /functions/v1/invoke/{name}."
        );

    /// <summary>Responds that the request's credentials were refused.</summary>
    public static Task RefuseAsync(HttpContext context, AuthRefusal refusal)
    {
        var status = refusal.Status();
        int? retryAfter = status == StatusCodes.Status503ServiceUnavailable ? 1 : null;
        return WriteAsync(context, status, refusal.Code(), refusal.Message(), retryAfter);
    }

    /// <summary>Responds that the request has no credentials, but needs some.</summary>
    public static Task RequireCredentialsAsync(HttpContext context, string message) =>
        WriteAsync(context, StatusCodes.Status401Unauthorized, "AUTHENTICATION_ERROR", message);

    /// <summary>Responds that the database can't be reached.</summary>
    public static Task DatabaseUnavailableAsync(HttpContext context) =>
        WriteAsync(
            context,
            StatusCodes.Status503ServiceUnavailable,
            "DATABASE_UNAVAILABLE",
            "The database can't be reached at the moment.",
            retryAfter: 1
        );

    /// <summary>Writes the response; does nothing if it has already begun.</summary>
    /// <param name="context">The request.</param>
    /// <param name="status">The HTTP status.</param>
    /// <param name="code">A stable code.</param>
    /// <param name="message">What happened and how to fix it.</param>
    /// <param name="retryAfter">Seconds for the Retry-After header.</param>
    public static async Task WriteAsync(HttpContext context, int status, string code, string message, int? retryAfter = null)
    {
        var response = context.Response;
        if (response.HasStarted)
            return;
        var title = ReasonPhrases.GetReasonPhrase(status);
        var json = new ArrayBufferWriter<byte>(512);
        using (var writer = new Utf8JsonWriter(json, Readable))
        {
            writer.WriteStartObject();
            writer.WriteString("type", "about:blank");
            writer.WriteString("title", title);
            writer.WriteNumber("status", status);
            writer.WriteString("detail", message);
            writer.WriteString("code", code);
            writer.WriteString("error", $"{status} {title}");
            writer.WriteString("message", message);
            writer.WriteString("request_id", RequestIds.Of(context));
            writer.WriteEndObject();
        }
        response.StatusCode = status;
        response.ContentType = "application/problem+json";
        response.ContentLength = json.WrittenCount;
        if (retryAfter is { } seconds)
            response.Headers.RetryAfter = seconds.ToString(System.Globalization.CultureInfo.InvariantCulture);
        if (status == StatusCodes.Status401Unauthorized)
            response.Headers.WWWAuthenticate = "Bearer";
        await response.Body.WriteAsync(json.WrittenMemory, context.RequestAborted);
    }
}
