namespace Functions.PgSidecar.Http;

/// <summary>Reads a request's body whole. Kestrel enforces the limit and throws <see cref="BadHttpRequestException"/> with status 413.</summary>
internal static class RequestBody
{
    /// <summary>The body; empty where there is none.</summary>
    public static async ValueTask<ReadOnlyMemory<byte>> ReadAsync(HttpRequest request, CancellationToken cancellationToken)
    {
        if (request.ContentLength == 0)
            return default;
        if (request.ContentLength is null && !request.Headers.ContainsKey("Transfer-Encoding") && request.Protocol.StartsWith("HTTP/1", StringComparison.Ordinal))
            return default;
        if (request.ContentLength is { } length and <= 64 * 1024)
        {
            var exact = new byte[length];
            await request.Body.ReadExactlyAsync(exact, cancellationToken);
            return exact;
        }
        // The length is a promise, not a fact: nothing is set aside for bytes that have not come.
        using var bytes = new MemoryStream();
        await request.Body.CopyToAsync(bytes, cancellationToken);
        return bytes.GetBuffer().AsMemory(0, (int)bytes.Length);
    }
}
