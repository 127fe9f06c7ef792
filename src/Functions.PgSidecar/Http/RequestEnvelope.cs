using System.Buffers;
using System.Text.Json;
using Functions.PgSidecar.Core.Auth;
using Functions.PgSidecar.Core.Registry;
using Microsoft.AspNetCore.Http.Extensions;

namespace Functions.PgSidecar.Http;

/// <summary>
/// The JSON that describes an HTTP request to a guest. The guest converts it to an AeroDB event or a Workers <c>Request</c>.
/// </summary>
internal static class RequestEnvelope
{
    private static readonly JsonWriterOptions Options = new() { SkipValidation = true };

    /// <summary>Writes the envelope.</summary>
    /// <param name="context">The request.</param>
    /// <param name="function">The function it is for.</param>
    /// <param name="caller">The caller.</param>
    /// <param name="requestId">The request's id.</param>
    /// <param name="below">The path below the function's name, without a leading slash.</param>
    /// <param name="streams">Whether the guest reads the body while it arrives.</param>
    /// <param name="now">Wall-clock time, Unix milliseconds.</param>
    public static ReadOnlyMemory<byte> Write(
        HttpContext context,
        DeployedFunction function,
        Caller caller,
        string requestId,
        string? below,
        bool streams,
        long now
    )
    {
        var request = context.Request;
        var buffer = new ArrayBufferWriter<byte>(1024);
        using var writer = new Utf8JsonWriter(buffer, Options);
        writer.WriteStartObject();
        writer.WriteString("kind"u8, "http"u8);
        writer.WriteString("trigger"u8, "http"u8);
        writer.WriteStartObject("request"u8);
        writer.WriteString("method"u8, request.Method);
        writer.WriteString("url"u8, UriHelper.BuildAbsolute(request.Scheme, request.Host, default, "/" + below, request.QueryString));
        WriteHeaders(writer, request.Headers);
        writer.WriteEndObject();
        writer.WriteString("path"u8, request.Path.Value);
        WriteQuery(writer, request.Query);
        if (caller.Subject is null)
            writer.WriteNull("user_id"u8);
        else
            writer.WriteString("user_id"u8, caller.Subject);
        writer.WriteString("request_id"u8, requestId);
        writer.WritePropertyName("env"u8);
        writer.WriteRawValue(function.EnvironmentJson.Span, skipInputValidation: true);
        if (streams)
            writer.WriteBoolean("streams"u8, true);
        writer.WriteNumber("now"u8, now);
        writer.WriteEndObject();
        writer.Flush();
        return buffer.WrittenMemory;
    }

    private static void WriteHeaders(Utf8JsonWriter writer, IHeaderDictionary headers)
    {
        writer.WriteStartArray("headers"u8);
        foreach (var (name, values) in headers)
        {
            var lower = name.ToLowerInvariant();
            foreach (var value in values)
            {
                writer.WriteStartArray();
                writer.WriteStringValue(lower);
                writer.WriteStringValue(value);
                writer.WriteEndArray();
            }
        }
        writer.WriteEndArray();
    }

    private static void WriteQuery(Utf8JsonWriter writer, IQueryCollection query)
    {
        writer.WriteStartObject("query"u8);
        foreach (var (name, values) in query)
        {
            writer.WritePropertyName(name);
            if (values.Count == 1)
            {
                writer.WriteStringValue(values[0]);
                continue;
            }
            writer.WriteStartArray();
            foreach (var value in values)
                writer.WriteStringValue(value);
            writer.WriteEndArray();
        }
        writer.WriteEndObject();
    }
}
