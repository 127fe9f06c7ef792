namespace Functions.PgSidecar.Core.Fetch;

/// <summary>The timeouts of one request, body included, and its cancellation by the caller.</summary>
internal sealed class OutboundTimeout : IDisposable
{
    private readonly CancellationTokenSource timeout;
    private readonly CancellationTokenSource either;
    private readonly CancellationToken caller;
    private readonly TimeSpan limit;
    private readonly TimeSpan connectLimit;

    /// <param name="limit">From the request to the last byte of the response.</param>
    /// <param name="connectLimit">Until a connection is established; the handler enforces it.</param>
    /// <param name="time">The clock.</param>
    /// <param name="caller">The caller's token.</param>
    public OutboundTimeout(TimeSpan limit, TimeSpan connectLimit, TimeProvider time, CancellationToken caller)
    {
        this.limit = limit;
        this.connectLimit = connectLimit;
        this.caller = caller;
        timeout = new CancellationTokenSource(limit, time);
        either = CancellationTokenSource.CreateLinkedTokenSource(timeout.Token, caller);
    }

    /// <summary>Cancelled by the timeout and by the caller.</summary>
    public CancellationToken Token => either.Token;

    /// <summary>Whether the caller requested the cancellation.</summary>
    public bool IsCallers => caller.IsCancellationRequested;

    /// <summary>The message of the timeout.</summary>
    public string Explain(OutboundHop hop) =>
        timeout.IsCancellationRequested
            ? $"{hop.Origin} did not answer within {limit.TotalSeconds:0.#} seconds (PGFN_HTTP_TIMEOUT)."
            : $"{hop.Origin} accepted no connection within {connectLimit.TotalSeconds:0} seconds.";

    public void Dispose()
    {
        either.Dispose();
        timeout.Dispose();
    }
}
