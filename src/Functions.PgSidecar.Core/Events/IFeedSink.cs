namespace Functions.PgSidecar.Core.Events;

/// <summary>Is notified of events while they are stored in the inbox, and may take them for delivery by this sidecar.</summary>
public interface IFeedSink
{
    /// <summary>
    /// Reserves an event for delivery by this sidecar. Every reserved event is later passed to <see cref="Accept"/> or
    /// <see cref="Forget"/>.
    /// </summary>
    /// <param name="function">The function to call.</param>
    /// <param name="bytes">The size of its payload.</param>
    bool Reserve(string function, int bytes);

    /// <summary>Passes reserved events that are now stored.</summary>
    /// <param name="deliveries">The events; those whose <see cref="Delivery.Xid"/> is not 0 must wait until that transaction is
    /// visible.</param>
    /// <param name="left">The functions for which further events were stored, which no sidecar has claimed yet.</param>
    void Accept(IReadOnlyList<Delivery> deliveries, IReadOnlyCollection<string> left);

    /// <summary>Cancels reservations whose events were not stored; the events will be read again.</summary>
    void Forget(IReadOnlyList<(string Function, int Bytes)> reserved);
}
