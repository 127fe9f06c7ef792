using System.Buffers;

namespace Functions.PgSidecar.Core.Bindings.Http;

/// <summary>A response, whole. Disposing gives its body's memory back; the body must not be used after that.</summary>
internal sealed class OutboundResponse : IDisposable
{
    private byte[]? rented;

    /// <param name="rented">An array of the shared pool that is the response's from now on.</param>
    /// <param name="length">How much of it is the body.</param>
    public OutboundResponse(byte[] rented, int length)
    {
        this.rented = rented;
        Body = rented.AsMemory(0, length);
    }

    public required int Status { get; init; }

    /// <summary>The reason phrase; empty over HTTP/2.</summary>
    public required string StatusText { get; init; }

    /// <summary>The headers, a name once for each of its values, so that every Set-Cookie stays apart. Values are Latin-1 text, as Fetch has them.</summary>
    public required IReadOnlyList<KeyValuePair<string, string>> Headers { get; init; }

    /// <summary>The URL that answered, without fragment.</summary>
    public required string Url { get; init; }

    /// <summary>Whether a redirect was followed.</summary>
    public required bool Redirected { get; init; }

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
