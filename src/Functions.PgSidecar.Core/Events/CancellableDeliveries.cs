using System.Collections.Concurrent;
using Functions.PgSidecar.Core.Invocations;

namespace Functions.PgSidecar.Core.Events;

/// <summary>
/// Running deliveries that can be cancelled by event id. Cancelling only stops the function: whoever cancels has removed the delivery
/// before, so that its outcome is not recorded. Every member is thread-safe.
/// </summary>
internal sealed class CancellableDeliveries(InFlight inFlight)
{
    private readonly ConcurrentDictionary<Guid, CancellationTokenSource> running = new();

    /// <summary>Cancelled events whose delivery has not started yet.</summary>
    private readonly ConcurrentDictionary<Guid, bool> waiting = new();

    /// <summary>The events that are being delivered.</summary>
    public IReadOnlyCollection<Guid> Running() => [.. running.Keys];

    /// <summary>Starts the delivery of an event.</summary>
    /// <returns>Its cancellation, which also stops it when the sidecar does; to be passed to <see cref="End"/>.</returns>
    public CancellationTokenSource Begin(Guid eventId)
    {
        var cancellation = CancellationTokenSource.CreateLinkedTokenSource(inFlight.IsCutOff);
        running[eventId] = cancellation;
        if (waiting.TryRemove(eventId, out _))
            cancellation.Cancel();
        return cancellation;
    }

    /// <summary>Ends the delivery of an event.</summary>
    public void End(Guid eventId, CancellationTokenSource cancellation)
    {
        running.TryRemove(new(eventId, cancellation));
        cancellation.Dispose();
    }

    /// <summary>Stops the delivery of an event that this sidecar holds, whether it has started or not.</summary>
    public void Cancel(Guid eventId)
    {
        if (!running.TryGetValue(eventId, out var cancellation))
        {
            waiting[eventId] = true;
            return;
        }
        try
        {
            cancellation.Cancel();
        }
        catch (ObjectDisposedException)
        {
            // It has just ended.
        }
    }
}
