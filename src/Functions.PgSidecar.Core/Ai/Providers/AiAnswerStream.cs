using Functions.PgSidecar.Core.Ai.Definitions;

namespace Functions.PgSidecar.Core.Ai.Providers;

/// <summary>
/// The body of a provider's answer, up to a limit. The SDKs keep a whole answer, or a whole event of a stream, in memory, however much a
/// broken or hostile provider sends.
/// </summary>
/// <param name="body">The body.</param>
/// <param name="provider">Who sends it.</param>
/// <param name="maxBytes">The most bytes of the whole body.</param>
/// <param name="maxEventBytes">The most bytes of one server-sent event; null if the body is no stream of events.</param>
internal sealed class AiAnswerStream(Stream body, AiProvider provider, long maxBytes, int? maxEventBytes) : Stream
{
    private long total;
    private long lineBytes;
    private long eventBytes;
    private bool endsWithReturn;

    /// <inheritdoc/>
    public override bool CanRead => true;

    /// <inheritdoc/>
    public override bool CanSeek => false;

    /// <inheritdoc/>
    public override bool CanWrite => false;

    /// <inheritdoc/>
    public override long Length => throw new NotSupportedException();

    /// <inheritdoc/>
    public override long Position
    {
        get => throw new NotSupportedException();
        set => throw new NotSupportedException();
    }

    /// <inheritdoc/>
    /// <exception cref="AiAttemptException">A limit is exceeded.</exception>
    public override async ValueTask<int> ReadAsync(Memory<byte> buffer, CancellationToken cancellationToken = default)
    {
        var length = await body.ReadAsync(buffer, cancellationToken).ConfigureAwait(false);
        Count(buffer.Span[..length]);
        return length;
    }

    /// <inheritdoc/>
    public override Task<int> ReadAsync(byte[] buffer, int offset, int count, CancellationToken cancellationToken) =>
        ReadAsync(buffer.AsMemory(offset, count), cancellationToken).AsTask();

    /// <inheritdoc/>
    /// <exception cref="AiAttemptException">A limit is exceeded.</exception>
    public override int Read(byte[] buffer, int offset, int count)
    {
        var length = body.Read(buffer, offset, count);
        Count(buffer.AsSpan(offset, length));
        return length;
    }

    /// <inheritdoc/>
    public override void Flush() { }

    /// <inheritdoc/>
    public override long Seek(long offset, SeekOrigin origin) => throw new NotSupportedException();

    /// <inheritdoc/>
    public override void SetLength(long value) => throw new NotSupportedException();

    /// <inheritdoc/>
    public override void Write(byte[] buffer, int offset, int count) => throw new NotSupportedException();

    /// <inheritdoc/>
    protected override void Dispose(bool disposing)
    {
        if (disposing)
            body.Dispose();
        base.Dispose(disposing);
    }

    private void Count(ReadOnlySpan<byte> bytes)
    {
        total += bytes.Length;
        if (total > maxBytes)
            throw AiAttemptException.TooLarge(provider, maxBytes, "an answer");
        if (maxEventBytes is not { } most)
            return;
        CountEvent(bytes);
        if (eventBytes > most)
            throw AiAttemptException.TooLarge(provider, most, "one event of a stream");
    }

    /// <summary>An event ends with an empty line; lines end with LF, CR or both.</summary>
    private void CountEvent(ReadOnlySpan<byte> bytes)
    {
        for (int at; (at = bytes.IndexOfAny((byte)'\n', (byte)'\r')) >= 0; bytes = bytes[(at + 1)..])
        {
            eventBytes += at + 1;
            var isSecondHalf = endsWithReturn && at == 0 && bytes[0] == '\n';
            endsWithReturn = bytes[at] == '\r';
            if (isSecondHalf)
                continue;
            if (lineBytes + at == 0)
                eventBytes = 0;
            lineBytes = 0;
        }
        if (bytes.IsEmpty)
            return;
        lineBytes += bytes.Length;
        eventBytes += bytes.Length;
        endsWithReturn = false;
    }
}
