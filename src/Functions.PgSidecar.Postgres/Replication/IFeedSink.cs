using Functions.PgSidecar.Postgres.Events;

namespace Functions.PgSidecar.Postgres.Replication;

/// <summary>Who hears of events as they come into the inbox.</summary>
public interface IFeedSink
{
    /// <summary>Whether this sidecar takes an event at once, when it is stored. What it takes it gets by <see cref="Accept"/>, or by <see cref="Forget"/>.</summary>
    /// <param name="function">The function to call.</param>
    /// <param name="trigger">The trigger that made it.</param>
    /// <param name="bytes">The size of its payload.</param>
    bool Reserve(string function, int trigger, int bytes);

    /// <summary>Events that were taken are stored.</summary>
    /// <param name="deliveries">The events; those whose <see cref="Delivery.Xid"/> is not 0 must wait until that transaction is visible.</param>
    /// <param name="left">The functions for which others were stored, which nobody has taken yet.</param>
    void Accept(IReadOnlyList<Delivery> deliveries, IReadOnlyCollection<string> left);

    /// <summary>Events that were taken have not been stored: they come again.</summary>
    void Forget(IReadOnlyList<(string Function, int Bytes)> reserved);

    /// <summary>Completes when the inbox has room for more.</summary>
    ValueTask WaitForRoomAsync(CancellationToken cancellationToken);

    /// <summary>This sidecar reads the WAL now.</summary>
    void Leading(long epoch);
}
