namespace Functions.PgSidecar.Core.Ai.Wire;

/// <summary>An answer's events while they arrive, read piece by piece. Reading and disposing may happen at the same time.</summary>
internal sealed class WireStream : IAsyncDisposable
{
    private readonly AiStream source;
    private readonly IAsyncEnumerator<ReadOnlyMemory<byte>> events;
    private readonly CancellationTokenSource closed;

    // Never disposed, because it holds no system resource and a late reader may still wait for it.
    private readonly SemaphoreSlim reading = new(1);
    private bool isOver;

    /// <param name="source">The answer; disposed with this.</param>
    /// <param name="write">Makes events of its updates.</param>
    /// <param name="cancellationToken">Ends the stream.</param>
    public WireStream(
        AiStream source,
        Func<AiStream, CancellationToken, IAsyncEnumerable<ReadOnlyMemory<byte>>> write,
        CancellationToken cancellationToken
    )
    {
        this.source = source;
        closed = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        events = write(source, closed.Token).GetAsyncEnumerator(closed.Token);
    }

    /// <summary>Waits for the next events; no bytes at the end.</summary>
    /// <exception cref="SidecarException">The answer ended before it was complete.</exception>
    /// <exception cref="OperationCanceledException">The stream was disposed.</exception>
    public async ValueTask<ReadOnlyMemory<byte>> ReadAsync()
    {
        await reading.WaitAsync().ConfigureAwait(false);
        try
        {
            if (isOver)
                return default;
            closed.Token.ThrowIfCancellationRequested();
            isOver = true;
            isOver = !await events.MoveNextAsync().ConfigureAwait(false);
            return isOver ? default : events.Current;
        }
        finally
        {
            reading.Release();
        }
    }

    /// <inheritdoc/>
    public async ValueTask DisposeAsync()
    {
        await closed.CancelAsync().ConfigureAwait(false);
        await reading.WaitAsync().ConfigureAwait(false);
        // Later readers find the end.
        isOver = true;
        reading.Release();
        await events.DisposeAsync().ConfigureAwait(false);
        await source.DisposeAsync().ConfigureAwait(false);
        closed.Dispose();
    }
}
