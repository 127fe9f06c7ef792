using System.Buffers;

namespace Functions.PgSidecar.Core.Fetch;

/// <summary>A response without its body.</summary>
/// <param name="Status">The status.</param>
/// <param name="StatusText">The reason phrase; empty over HTTP/2.</param>
/// <param name="Headers">The headers, one entry per value, so that every Set-Cookie is separate. Values are Latin-1 text, as in
/// Fetch.</param>
/// <param name="Url">The URL that answered, without fragment.</param>
/// <param name="Redirected">Whether a redirect was followed.</param>
internal sealed record OutboundHead(
    int Status,
    string StatusText,
    IReadOnlyList<KeyValuePair<string, string>> Headers,
    string Url,
    bool Redirected
);

/// <summary>A complete response. Disposing it returns its body's memory; the body must not be used after that.</summary>
internal sealed class OutboundResponse : IDisposable
{
    private byte[]? rented;

    /// <param name="head">The response without its body.</param>
    /// <param name="rented">An array of the shared pool, which the response now owns.</param>
    /// <param name="length">The length of the body in it.</param>
    public OutboundResponse(OutboundHead head, byte[] rented, int length)
    {
        Head = head;
        this.rented = rented;
        Body = rented.AsMemory(0, length);
    }

    /// <summary>Status, headers and the like.</summary>
    public OutboundHead Head { get; }

    /// <summary>The body, decompressed.</summary>
    public ReadOnlyMemory<byte> Body { get; private set; }

    public void Dispose()
    {
        if (Interlocked.Exchange(ref rented, null) is not { } array)
            return;
        Body = default;
        ArrayPool<byte>.Shared.Return(array);
    }
}
