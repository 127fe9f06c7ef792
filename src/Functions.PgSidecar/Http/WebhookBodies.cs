using System.Buffers;

namespace Functions.PgSidecar.Http;

/// <summary>
/// Reads the bodies of webhooks. A signature can be checked only over the whole body, so whoever sends one can make the sidecar keep it:
/// all bodies together have a limit.
/// </summary>
internal sealed class WebhookBodies
{
    /// <summary>The most bytes of bodies in memory at once.</summary>
    private const long MaxBytes = 64 << 20;

    private const int FirstSize = 4096;

    private long held;

    /// <summary>
    /// How long the rest of a body may take that did not arrive at once. Otherwise a few strangers could keep all memory for hours: the
    /// server's least rate of 240 bytes a second counts what they sent before. Senders of webhooks give up earlier.
    /// </summary>
    private static readonly TimeSpan RestTimeout = TimeSpan.FromSeconds(30);

    /// <summary>Reads a body until its end. Dispose it after the response.</summary>
    /// <returns>Null if there is no memory for it at the moment.</returns>
    /// <exception cref="BadHttpRequestException">It is larger than the server was told to accept (413), arrives too slowly (408), or is
    /// badly framed.</exception>
    public async Task<WebhookBodyBytes?> ReadAsync(HttpRequest request, CancellationToken cancellationToken)
    {
        var body = new WebhookBodyBytes(this);
        CancellationTokenSource? rest = null;
        try
        {
            // The stated length is not trusted: memory is taken for what has arrived.
            while (true)
            {
                if (!body.TryMakeSpace(FirstSize))
                {
                    body.Dispose();
                    return null;
                }
                var read = await request.Body.ReadAsync(body.Space, rest?.Token ?? cancellationToken);
                if (read == 0)
                    return body;
                body.Advance(read);
                if (rest is null && body.Bytes.Length >= FirstSize)
                {
                    rest = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
                    rest.CancelAfter(RestTimeout);
                }
            }
        }
        catch (OperationCanceledException) when (!cancellationToken.IsCancellationRequested)
        {
            body.Dispose();
            throw new BadHttpRequestException(
                $"The body did not arrive within {RestTimeout.TotalSeconds:0} s.",
                StatusCodes.Status408RequestTimeout
            );
        }
        catch
        {
            body.Dispose();
            throw;
        }
        finally
        {
            rest?.Dispose();
        }
    }

    /// <summary>Takes memory; false if there is none left.</summary>
    internal bool TryTake(int bytes)
    {
        if (Interlocked.Add(ref held, bytes) <= MaxBytes)
            return true;
        Give(bytes);
        return false;
    }

    /// <summary>Gives memory back.</summary>
    internal void Give(int bytes) => Interlocked.Add(ref held, -bytes);
}

/// <summary>A body in pooled memory.</summary>
internal sealed class WebhookBodyBytes(WebhookBodies bodies) : IDisposable
{
    private byte[] buffer = [];
    private int length;

    /// <summary>What has been read.</summary>
    public ReadOnlyMemory<byte> Bytes => buffer.AsMemory(0, length);

    /// <summary>Where the next bytes go.</summary>
    public Memory<byte> Space => buffer.AsMemory(length);

    /// <summary>Makes sure that there is space; false if there is no memory.</summary>
    public bool TryMakeSpace(int first)
    {
        if (length < buffer.Length)
            return true;
        var larger = ArrayPool<byte>.Shared.Rent(Math.Max(first, buffer.Length * 2));
        if (!bodies.TryTake(larger.Length - buffer.Length))
        {
            ArrayPool<byte>.Shared.Return(larger);
            return false;
        }
        Bytes.CopyTo(larger);
        Return();
        buffer = larger;
        return true;
    }

    /// <summary>Adds what was read into <see cref="Space"/>.</summary>
    public void Advance(int read) => length += read;

    /// <inheritdoc/>
    public void Dispose()
    {
        bodies.Give(buffer.Length);
        Return();
        buffer = [];
        length = 0;
    }

    private void Return()
    {
        if (buffer.Length > 0)
            ArrayPool<byte>.Shared.Return(buffer);
    }
}
