using System.Buffers;

namespace Functions.PgSidecar.Core.Fetch;

/// <summary>
/// A response whose body has not been read yet. It is read through the decompressor, so that the limit applies to the decompressed size,
/// which stops decompression bombs.
/// </summary>
internal sealed class OutboundExchange(
    HttpResponseMessage response,
    OutboundHop hop,
    bool redirected,
    OutboundTimeout timeout,
    int maxBytes
) : IDisposable
{
    private const int FirstBuffer = 16 * 1024;

    private Stream? body;
    private int length;
    private int reading;

    /// <summary>The response without its body.</summary>
    public OutboundHead Head { get; } =
        new(
            (int)response.StatusCode,
            response.ReasonPhrase ?? "",
            OutboundHeaders.Read(response),
            hop.Url.GetComponents(UriComponents.HttpRequestUrl, UriFormat.UriEscaped),
            redirected
        );

    /// <summary>Whether the body is known to have at most this many bytes.</summary>
    public bool IsShort(int bytes) => response.Content.Headers.ContentLength <= bytes;

    /// <summary>Reads the next bytes of the body.</summary>
    /// <returns>The number of bytes; 0 at the end.</returns>
    /// <exception cref="SidecarException">PGFN5204: the connection failed; 5206: the timeout has passed; 5207: the body is too
    /// large.</exception>
    public async ValueTask<int> ReadAsync(Memory<byte> buffer)
    {
        if (Interlocked.Exchange(ref reading, 1) != 0)
            throw new InvalidOperationException("The body is already being read.");
        try
        {
            body ??= await response.Content.ReadAsStreamAsync(timeout.Token);
            var read = await body.ReadAsync(buffer, timeout.Token);
            length += read;
            return length <= maxBytes
                ? read
                : throw new SidecarException(
                    "PGFN5207",
                    502,
                    $"The response is larger than {maxBytes} bytes (PGFN_HTTP_MAX_RESPONSE_SIZE)."
                );
        }
        catch (Exception e) when (OutboundFailure.Of(e, hop, timeout) is { } failure)
        {
            throw failure;
        }
        finally
        {
            Volatile.Write(ref reading, 0);
        }
    }

    /// <summary>Reads the whole response. Memory grows with what has arrived, not with what a Content-Length announces.</summary>
    public async Task<OutboundResponse> ReadToEndAsync()
    {
        var pool = ArrayPool<byte>.Shared;
        var buffer = pool.Rent(FirstBuffer);
        try
        {
            var filled = 0;
            for (int read; (read = await ReadAsync(buffer.AsMemory(filled))) > 0; )
            {
                filled += read;
                if (filled < buffer.Length)
                    continue;
                var larger = pool.Rent(buffer.Length * 2);
                buffer.AsSpan(0, filled).CopyTo(larger);
                pool.Return(buffer);
                buffer = larger;
            }
            return new OutboundResponse(Head, buffer, filled);
        }
        catch
        {
            pool.Return(buffer);
            throw;
        }
    }

    public void Dispose()
    {
        response.Dispose();
        timeout.Dispose();
    }
}
