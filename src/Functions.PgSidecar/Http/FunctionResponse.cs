using System.Text.Json;
using Functions.PgSidecar.Core.Bindings.Bodies;
using Functions.PgSidecar.Core.Invocations;

namespace Functions.PgSidecar.Http;

/// <summary>Sends what a function answered.</summary>
internal static class FunctionResponse
{
    /// <summary>Writes status, headers and body; of a body that is still being written, until its end.</summary>
    /// <param name="context">The request.</param>
    /// <param name="result">Its head is JSON <c>{"status":200,"headers":[["name","value"]]}</c>, written by the guest: not to be trusted.</param>
    /// <returns>False where the head is no valid response; nothing has been sent then.</returns>
    public static async Task<bool> WriteAsync(HttpContext context, InvocationResult result)
    {
        if (!TryApply(context.Response, result.Head.Span))
        {
            context.Response.Clear();
            return false;
        }
        var status = context.Response.StatusCode;
        var hasBody = status is not (StatusCodes.Status204NoContent or StatusCodes.Status205ResetContent or StatusCodes.Status304NotModified);
        if (result.Stream is { } stream)
            await SendAsync(context, stream, hasBody && !HttpMethods.IsHead(context.Request.Method));
        else if (hasBody)
            await SendAsync(context, result.Body);
        return true;
    }

    private static async Task SendAsync(HttpContext context, ReadOnlyMemory<byte> body)
    {
        context.Response.ContentLength = body.Length;
        if (!HttpMethods.IsHead(context.Request.Method) && body.Length > 0)
            await context.Response.Body.WriteAsync(body, context.RequestAborted);
    }

    private static async Task SendAsync(HttpContext context, ResponseStream stream, bool hasBody)
    {
        try
        {
            if (!hasBody)
                return;
            // The head goes out at once: a stream of events may have nothing to tell for a while.
            await context.Response.StartAsync(context.RequestAborted);
            await context.Response.Body.FlushAsync(context.RequestAborted);
            if (!await stream.CopyToAsync(context.Response.Body, context.RequestAborted))
                context.Abort();
        }
        finally
        {
            stream.Abandon();
        }
    }

    private static bool TryApply(HttpResponse response, ReadOnlySpan<byte> head)
    {
        try
        {
            var reader = new Utf8JsonReader(head);
            using var document = JsonDocument.ParseValue(ref reader);
            var status = document.RootElement.GetProperty("status"u8).GetInt32();
            if (status is < 200 or > 599)
                return false;
            response.StatusCode = status;
            foreach (var header in document.RootElement.GetProperty("headers"u8).EnumerateArray())
            {
                if (!TryAppend(response.Headers, header[0].GetString()!, header[1].GetString()!))
                    return false;
            }
            return true;
        }
        catch (Exception e) when (e is JsonException or InvalidOperationException or KeyNotFoundException or FormatException or IndexOutOfRangeException)
        {
            return false;
        }
    }

    private static bool TryAppend(IHeaderDictionary headers, string name, string value)
    {
        if (IsServers(name))
            return true;
        if (!IsToken(name) || !IsFieldValue(value))
            return false;
        headers.Append(name, value);
        return true;
    }

    /// <summary>
    /// The server says these: how the message is framed, what is between it and the next hop (RFC 9110 section 7.6.1), and who answers when to which request.
    /// What a function says of them is dropped.
    /// </summary>
    private static bool IsServers(string name) => name.Length <= 20 && name.ToLowerInvariant() is
        "connection" or "keep-alive" or "transfer-encoding" or "te" or "upgrade" or "trailer" or "trailers" or "content-length"
        or "proxy-connection" or "proxy-authenticate" or "proxy-authorization" or "date" or "server" or "x-request-id"
        || name.StartsWith("proxy-", StringComparison.OrdinalIgnoreCase);

    private static bool IsToken(string name)
    {
        foreach (var c in name)
        {
            if (!char.IsAsciiLetterOrDigit(c) && "!#$%&'*+-.^_`|~".IndexOf(c, StringComparison.Ordinal) < 0)
                return false;
        }
        return name.Length > 0;
    }

    private static bool IsFieldValue(string value)
    {
        foreach (var c in value)
        {
            if (c is '\r' or '\n' or '\0' || (c < ' ' && c != '\t') || c > 0xff)
                return false;
        }
        return true;
    }
}
