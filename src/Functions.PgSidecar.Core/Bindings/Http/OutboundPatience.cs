namespace Functions.PgSidecar.Core.Bindings.Http;

/// <summary>How long one request may take, body included, and who may call it off sooner.</summary>
internal sealed class OutboundPatience : IDisposable
{
    private readonly CancellationTokenSource timeout;
    private readonly CancellationTokenSource either;
    private readonly CancellationToken caller;
    private readonly TimeSpan limit;
    private readonly TimeSpan connectLimit;

    /// <param name="limit">From the request to the last byte of the response.</param>
    /// <param name="connectLimit">Until a connection is established; the handler keeps to it.</param>
    /// <param name="time">The clock.</param>
    /// <param name="caller">The caller's own.</param>
    public OutboundPatience(TimeSpan limit, TimeSpan connectLimit, TimeProvider time, CancellationToken caller)
    {
        this.limit = limit;
        this.connectLimit = connectLimit;
        this.caller = caller;
        timeout = new CancellationTokenSource(limit, time);
        either = CancellationTokenSource.CreateLinkedTokenSource(timeout.Token, caller);
    }

    /// <summary>Cancelled by both.</summary>
    public CancellationToken Token => either.Token;

    /// <summary>Whether a cancellation was the caller's wish.</summary>
    public bool IsCallers => caller.IsCancellationRequested;

    /// <summary>What took too long.</summary>
    public string Explain(OutboundHop hop) => timeout.IsCancellationRequested
        ? $"{hop.Origin} did not answer within {limit.TotalSeconds:0.#} seconds (PGFN_HTTP_TIMEOUT)."
        : $"{hop.Origin} took no connection within {connectLimit.TotalSeconds:0} seconds.";

    public void Dispose()
    {
        either.Dispose();
        timeout.Dispose();
    }
}
